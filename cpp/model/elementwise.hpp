// Activations, losses and optimizer steps on plain arrays, for the layer-by-layer classes.
#pragma once

#include <cstdint>

#include "kernels/kernels.hpp"

namespace chainrule::model {

// An activation of (rows, columns), row-major; `saved` is what its derivative is written in. Element by element the shape
// does not matter.
struct ActivationShape {
    Activation activation;
    const double* parameters;
    Index rows, columns;
};
template <class T> void activation_forward(const ActivationShape& job, const T* inputs, T* output);
template <class T> void activation_backward(const ActivationShape& job, const T* dvalues, const T* saved, T* dinputs);

// The elements are numbers start, start + 1, ... of the step's stream.
template <class T>
void dropout_forward(Index n, double keep, std::uint64_t key, std::uint64_t step, std::uint64_t start, const T* inputs, T* output, T* mask);
template <class T> void multiply(Index n, const T* a, const T* b, T* output);
template <class T> void regularize(Index n, double l1, double l2, const T* parameter, T* gradient);
template <class T> void update(const UpdateJob<T>& job);
template <class T> double sum(Index n, const T* values);

// Row-major outputs and targets (rows, columns), or labels (rows). Null results are left out.
template <class T> struct LossArrays {
    Loss loss;
    const double* parameters;
    Index rows, columns, target_columns;
    T* output;       // a joint loss replaces its activation's inputs by the output, unless
    bool activated;  // that is what they are already
    const T* targets;
    const std::int64_t* labels;
    T* sample_losses;
    T* dvalues;
};
template <class T> void loss(const LossArrays<T>& arrays);

}  // namespace chainrule::model
