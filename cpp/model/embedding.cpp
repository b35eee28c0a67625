#include "model/embedding.hpp"

#include <algorithm>
#include <numeric>

#include "model/chunks.hpp"
#include "model/passing.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

// Rows are shared out forward, tables backward: each row of a table has one writer.

namespace chainrule::model {
namespace {

using runtime::Range;
using runtime::Worker;

constexpr double flops_forward = 1, flops_backward = 6;  // of a value: a copy, a compensated sum

// NaN is none.
template <class T> bool is_code(T value, Index size) {
    return value >= 0 && value < static_cast<T>(size) && value == static_cast<T>(static_cast<Index>(value));
}

}  // namespace

Index EmbeddingShape::levels_before(Index k) const { return std::accumulate(sizes.begin(), sizes.begin() + k, Index(0)); }

template <class T> Index first_without_code(const EmbeddingShape& shape, Index count, const T* inputs, Index input_row) {
    Index place = 0;
    for (Index r = 0; r < count; ++r) {
        const T* code = inputs + r * input_row + shape.n_passed;
        for (const Index size : shape.sizes) {
            if (!is_code(*code++, size)) return place;
            ++place;
        }
    }
    return place;
}

template <class T> void embed_rows(const EmbeddingShape& shape, const EmbeddingRows<T>& rows) {
    pass_columns({0, rows.count}, shape.n_passed, rows.inputs, rows.input_row, rows.output, rows.output_row);
    for (Index r = 0; r < rows.count; ++r) {
        const T *code = rows.inputs + r * rows.input_row + shape.n_passed, *table = rows.weights;
        T* to = rows.output + r * rows.output_row + shape.n_passed;
        for (const Index size : shape.sizes) {
            to = std::copy_n(table + static_cast<Index>(*code++) * shape.width, shape.width, to);
            table += size * shape.width;
        }
    }
}

template <class T> void embedding_forward(const EmbeddingShape& shape, const T* inputs, const T* weights, T* output) {
    runtime::run_call(flops_forward * shape.values(), [&](Worker worker) {
        const Range mine = runtime::share(shape.samples, 1, worker);
        const Index in = shape.n_inputs(), out = shape.n_outputs();
        embed_rows<T>(shape, {mine.last - mine.first, inputs + mine.first * in, in, weights, output + mine.first * out, out});
    });
}

template <class T> void embedding_gradients(const EmbeddingShape& shape, const EmbeddingTables<T>& tables, T* dweights, T* lost) {
    const Index elements = (shape.levels_before(tables.last) - shape.levels_before(tables.first)) * shape.width;
    std::fill_n(dweights, elements, T(0));
    std::fill_n(lost, elements, T(0));
    Index table = 0;
    for (Index k = tables.first; k < tables.last; ++k) {
        for (Index r = 0; r < shape.samples; ++r) {
            const Index at = table + static_cast<Index>(tables.inputs[r * tables.input_row + shape.n_passed + k]) * shape.width;
            add_up(shape.width, tables.dvalues + r * tables.output_row + shape.n_passed + k * shape.width, dweights + at, lost + at);
        }
        table += shape.sizes[static_cast<std::size_t>(k)] * shape.width;
    }
}

template <class T> void embedding_backward(const EmbeddingShape& shape, const T* inputs, const T* dvalues, T* dweights, T* dinputs) {
    runtime::run_call(flops_backward * shape.values(), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        const Range tables = runtime::share(shape.n_codes(), 1, worker), rows = runtime::share(shape.samples, 1, worker);
        const Index before = shape.levels_before(tables.first), levels = shape.levels_before(tables.last) - before;
        embedding_gradients<T>(shape, {tables.first, tables.last, inputs, shape.n_inputs(), dvalues, shape.n_outputs()}, dweights + before * shape.width,
                               runtime::scratch<T>(levels * shape.width));
        if (!dinputs) return;
        pass_columns(rows, shape.n_passed, dvalues, shape.n_outputs(), dinputs, shape.n_inputs());
        for (Index r = rows.first; r < rows.last; ++r) std::fill_n(dinputs + r * shape.n_inputs() + shape.n_passed, shape.n_codes(), T(0));
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                        \
    template Index first_without_code(const EmbeddingShape&, Index, const T*, Index);   \
    template void embed_rows(const EmbeddingShape&, const EmbeddingRows<T>&);           \
    template void embedding_gradients(const EmbeddingShape&, const EmbeddingTables<T>&, T*, T*); \
    template void embedding_forward(const EmbeddingShape&, const T*, const T*, T*);     \
    template void embedding_backward(const EmbeddingShape&, const T*, const T*, T*, T*);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
