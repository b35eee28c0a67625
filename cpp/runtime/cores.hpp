// Cores that this process may use.
#pragma once

#include <string>

namespace chainrule::runtime {

// The smaller of CPU affinity and the control groups' quota, at least 1; found out once.
int usable_cores();

// Cores that the quotas of this process's control groups come to (cgroup v1 and v2), infinity where there is none. `root`
// stands before the system's paths: empty, or for tests a folder with files of the same names.
double quota_cores(const std::string& root);

}  // namespace chainrule::runtime
