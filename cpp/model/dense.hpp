// A dense layer on plain row-major arrays, for the layer-by-layer classes.
//
//   output   = inputs . weights + biases
//   dweights = inputs^T . dvalues,  dbiases = sum of dvalues over samples,  dinputs = dvalues . weights^T
//
// Shapes: inputs (samples, n_inputs), weights (n_inputs, n_neurons), output and dvalues (samples, n_neurons).
#pragma once

#include "kernels/kernels.hpp"

namespace chainrule::model {

struct DenseShape {
    Index samples, n_inputs, n_neurons;
    double flops() const { return 2.0 * static_cast<double>(samples) * static_cast<double>(n_inputs) * static_cast<double>(n_neurons); }
};

template <class T> void dense_forward(DenseShape shape, const T* inputs, const T* weights, const T* biases, T* output);

// dinputs == nullptr: not asked for.
template <class T>
void dense_backward(DenseShape shape, const T* inputs, const T* dvalues, const T* weights, T* dweights, T* dbiases, T* dinputs);

}  // namespace chainrule::model
