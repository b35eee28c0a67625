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
    Index n_levels() const { return levels_before(n_codes()); }
    // Rows of the tables before the k-th.
    Index levels_before(Index k) const;
    double values() const { return static_cast<double>(samples) * static_cast<double>(n_outputs()); }
};

// Rows of inputs, the table's rows they mean, and where the output goes; `row`: elements between rows.
template <class T> struct EmbeddingRows {
    Index count;
    const T* inputs;
    Index input_row;
    const T* weights;
    T* output;
    Index output_row;
};

// Where the first value stands that is no code of its column, row by row of the codes; count * n_codes where all are.
template <class T> Index first_without_code(const EmbeddingShape& shape, Index count, const T* inputs, Index input_row);

// By the calling thread. All codes are right.
template <class T> void embed_rows(const EmbeddingShape& shape, const EmbeddingRows<T>& rows);

// What the gradient of some tables is made of: rows of all samples, `row` elements apart.
template <class T> struct EmbeddingTables {
    Index first, last;
    const T* inputs;
    Index input_row;
    const T* dvalues;
    Index output_row;
};
// By the calling thread: the sums of the dvalues of each row of these tables, from `dweights` on, over the samples in order,
// compensated by what stands in `lost`.
template <class T> void embedding_gradients(const EmbeddingShape& shape, const EmbeddingTables<T>& tables, T* dweights, T* lost);

// All codes are right.
template <class T> void embedding_forward(const EmbeddingShape& shape, const T* inputs, const T* weights, T* output);

// dinputs == nullptr: not asked for; 0 in the columns of codes.
template <class T> void embedding_backward(const EmbeddingShape& shape, const T* inputs, const T* dvalues, T* dweights, T* dinputs);

}  // namespace chainrule::model
