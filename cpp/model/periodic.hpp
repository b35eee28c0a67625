// Periodic features on plain row-major arrays: of each of the first columns x of the inputs
//
//   cos(2 pi frequencies x + phases) . weights + biases, then x,
//
// behind them the other columns as they are. Shapes: inputs (samples, n_periodic + n_passed), frequencies and phases
// (n_periodic, n_frequencies), weights (n_periodic, n_frequencies, n_mixed), biases (n_periodic, n_mixed), output and dvalues
// (samples, n_periodic * (n_mixed + 1) + n_passed).
#pragma once

#include "kernels/kernels.hpp"

namespace chainrule::model {

struct PeriodicShape {
    Index samples, n_periodic, n_frequencies, n_mixed, n_passed;
    Index n_inputs() const { return n_periodic + n_passed; }
    Index n_outputs() const { return n_periodic * (n_mixed + 1) + n_passed; }
    double flops() const {
        const double cosine = 20, waves = static_cast<double>(samples) * static_cast<double>(n_periodic) * static_cast<double>(n_frequencies);
        return waves * (cosine + 2 * static_cast<double>(n_mixed)) + static_cast<double>(samples) * static_cast<double>(n_passed);
    }
};

// Rows of inputs and output, `row` elements apart, by the calling thread.
template <class T> struct PeriodicRows {
    Index count;
    const T* inputs;
    Index input_row;
    const T *frequencies, *phases, *weights, *biases;
    T* output;
    Index output_row;
    T* scratch;  // periodic_scratch elements
};
template <class T> void periodic_rows(const PeriodicShape& shape, const PeriodicRows<T>& rows);

// What the gradients of one column's parameters are made of: rows of all samples, `row` elements apart. dinputs == nullptr: not
// asked for; else the column of the gradient of the inputs is written there, as far apart as they are.
template <class T> struct PeriodicColumn {
    Index column;
    const T* inputs;
    Index input_row;
    const T* dvalues;
    Index output_row;
    const T *frequencies, *phases, *weights;
    T* dinputs;
    T* scratch;  // periodic_gradient_scratch elements
};
// By the calling thread; what it returns are the column's sums in a row, in the scratch: of frequencies, phases, weights, biases.
template <class T> const T* periodic_column_gradients(const PeriodicShape& shape, const PeriodicColumn<T>& column);
template <class T> Index periodic_gradient_scratch(const PeriodicShape& shape);

template <class T>
void periodic_forward(const PeriodicShape& shape, const T* inputs, const T* frequencies, const T* phases, const T* weights, const T* biases, T* output);

// What `periodic_backward` writes to; dinputs == nullptr: not asked for.
template <class T> struct PeriodicGradients {
    T *dfrequencies, *dphases, *dweights, *dbiases, *dinputs;
};
template <class T>
void periodic_backward(const PeriodicShape& shape, const T* inputs, const T* dvalues, const T* frequencies, const T* phases, const T* weights,
                       const PeriodicGradients<T>& gradients);

}  // namespace chainrule::model
