// Whether numbers are finite: those of any kind as the net's, and parameters after a step.
#pragma once

#include "model/engine.hpp"

namespace chainrule::model {

// Each of `count` numbers is finite, as float or as double.
bool all_within(const void* values, Number numbers, Index count, bool as_double);

// Each of `count` numbers is finite; a team looks at many.
template <class T> bool all_finite(const T* values, Index count);

// All parameters that learn are.
template <class T> bool all_finite(const NetworkArrays<T>& arrays, const Network& network);

}  // namespace chainrule::model
