// A parametric activation on plain row-major arrays: output = (1 - a) inputs + a activated, a for each column.
//
//   dinputs = (1 - a) dvalues + a through,  da = sum of dvalues (activated - inputs) over samples
//
// `activated` is what the activation makes of the inputs, `through` what it makes of dvalues on the way back. Shapes: all
// (samples, columns), a and da (columns).
#pragma once

#include "kernels/kernels.hpp"

namespace chainrule::model {

template <class T> void parametric_forward(Index samples, Index columns, const T* inputs, const T* activated, const T* shares, T* output);

template <class T>
void parametric_backward(Index samples, Index columns, const T* dvalues, const T* through, const T* inputs, const T* activated, const T* shares, T* dshares,
                         T* dinputs);

}  // namespace chainrule::model
