// How large the caches of a core are. Blocks follow them; results do not.
#pragma once

#include "kernels/kernels.hpp"

namespace chainrule::runtime {

struct Caches {
    Index l1, l2;  // bytes
};

// As the system reports them, or CHAINRULE_CACHES names them (kilobytes, "32,512"; tests use it). Read at first use.
// Throws std::runtime_error where CHAINRULE_CACHES is something else.
const Caches& caches();

}  // namespace chainrule::runtime
