// Whether numbers of any kind are finite as the net's.
#pragma once

#include "kernels/kernels.hpp"

namespace chainrule::model {

// Each of `count` numbers is finite, as float or as double.
bool all_within(const void* values, Number numbers, Index count, bool as_double);

}  // namespace chainrule::model
