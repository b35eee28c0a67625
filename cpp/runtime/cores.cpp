#include "runtime/cores.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

namespace chainrule::runtime {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

// A hierarchy of groups as this process sees it: the group that is mounted, and where.
struct Hierarchy {
    bool v2;
    std::string mounted, place;
};

// Whether `word` is one of "a,b,c".
bool names(const std::string& list, const std::string& word) { return ("," + list + ",").find("," + word + ",") != std::string::npos; }

// mountinfo writes spaces and the like as \040.
std::string unescaped(const std::string& text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int code = 0;
        const char* const digits = text.data() + i + 1;
        if (text[i] == '\\' && i + 3 < text.size() && std::from_chars(digits, digits + 3, code, 8).ptr == digits + 3) {
            result += static_cast<char>(code);
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

// A line of mountinfo: id, parent, device, mounted part, place, options, [more options], "-", type, source, options of
// the file system; these name the controllers of v1.
std::vector<Hierarchy> hierarchies(const std::string& root) {
    std::vector<Hierarchy> found;
    std::ifstream file(root + "/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string skipped, mounted, place, type, options;
        words >> skipped >> skipped >> skipped >> mounted >> place;
        while (words >> skipped && skipped != "-") {}
        words >> type >> skipped >> options;
        if (type == "cgroup2" || (type == "cgroup" && names(options, "cpu"))) found.push_back({type == "cgroup2", unescaped(mounted), root + unescaped(place)});
    }
    return found;
}

// A line of /proc/self/cgroup: number, controllers (none: v2) and group, as in 4:cpu,cpuacct:/jobs/7.
std::string group_of_process(const std::string& root, bool v2) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (v2 ? controllers.empty() : names(controllers, "cpu")) return line.substr(second + 1);
    }
    return "/";
}

// The group's folder below the mount. A container may see the host's name of its group beside a mount of that group alone;
// a group that lies elsewhere ("/../other" too) cannot be seen, but the mounted one can.
std::string folder_of(const std::string& group, const std::string& mounted) {
    if ((group + "/").find("/../") != std::string::npos) return "";
    const std::string above = mounted == "/" ? "" : mounted;
    if (group.compare(0, above.size() + 1, above + "/") != 0) return "";
    const std::string folder = group.substr(above.size());
    return folder == "/" ? "" : folder;
}

double cores_of(const std::string& quota, const std::string& period) {
    const auto number = [](const std::string& text) {
        long long value = 0;
        const std::from_chars_result read = std::from_chars(text.data(), text.data() + text.size(), value);
        return read.ec == std::errc() && read.ptr == text.data() + text.size() ? value : 0;
    };
    const long long part = number(quota), whole = number(period);
    return part > 0 && whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : unlimited;
}

// Microseconds of CPU time a period: v2 writes "quota period" or "max period", v1 two files, with a quota of -1 for none.
double quota_of_group(const std::string& folder, bool v2) {
    std::string quota, period;
    if (v2) {
        std::ifstream(folder + "/cpu.max") >> quota >> period;
    } else {
        std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
        std::ifstream(folder + "/cpu.cfs_period_us") >> period;
    }
    return cores_of(quota, period);
}

int affinity_cores() {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

// A group's quota holds for all groups below it: the least one from the process's group up to the mount counts.
double quota_cores(const std::string& root) {
    double least = unlimited;
    for (const Hierarchy& hierarchy : hierarchies(root)) {
        std::string folder = folder_of(group_of_process(root, hierarchy.v2), hierarchy.mounted);
        for (;; folder.erase(folder.rfind('/'))) {
            least = std::min(least, quota_of_group(hierarchy.place + folder, hierarchy.v2));
            if (folder.empty()) break;
        }
    }
    return least;
}

int usable_cores() {
    static const int cores = static_cast<int>(std::max(1.0, std::min<double>(affinity_cores(), std::round(quota_cores("")))));
    return cores;
}

}  // namespace chainrule::runtime
