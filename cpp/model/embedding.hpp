// Embeddings on plain row-major arrays: the last columns of the inputs are codes of categories, each of which a row of its
// column's table takes the place of; the columns before them stay as they are.
//
// Shapes: inputs (samples, n_passed + n_codes), weights (sum of the sizes, width), one table below the other, output and dvalues
// (samples, n_passed + n_codes * width).
#pragma once

#include <vector>

#include "kernels/kernels.hpp"

namespace chainrule::model {

struct EmbeddingShape {
    Index samples, n_passed, width;
    std::vector<Index> sizes;  // of the tables
    Index n_codes() const { return static_cast<Index>(sizes.size()); }
    Index n_inputs() const { return n_passed + n_codes(); }
    Index n_outputs() const { return n_passed + n_codes() * width; }
    Index n_levels() const;
    double values() const { return static_cast<double>(samples) * static_cast<double>(n_outputs()); }
};

// Where the first value stands that is no code of its column, row by row; samples * n_inputs where all are.
template <class T> Index first_without_code(const EmbeddingShape& shape, const T* inputs);

// All codes are right.
template <class T> void embedding_forward(const EmbeddingShape& shape, const T* inputs, const T* weights, T* output);

// dweights: the sum of the dvalues of each row of the tables, over the samples in order, compensated. dinputs == nullptr: not
// asked for; 0 in the columns of codes.
template <class T> void embedding_backward(const EmbeddingShape& shape, const T* inputs, const T* dvalues, T* dweights, T* dinputs);

}  // namespace chainrule::model
