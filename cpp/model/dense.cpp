#include "model/dense.hpp"

#include <algorithm>

#include "model/blocks.hpp"
#include "model/chunks.hpp"
#include "model/grids.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

// Schedules only; the arithmetic is in kernels/product*.inl. Every element is one chain over the inner index, so
// neither blocking nor packing nor the split over threads shows in the bits.

namespace chainrule::model {
namespace {

using runtime::Range;
using runtime::Worker;

// Panels of weights packed at a time: so many lines of a row lie side by side in the user's array, a page from the next row's.
constexpr Index strip_panels = 8;
// Few samples: packing would cost more than the product itself.
constexpr Index rows_worth_packing = 24;
// Weights up to here are read in place; beyond, their rows lie on too many pages.
constexpr Index bytes_read_in_place = 128 * 1024;
// Rows of this length and more are packed (chosen on `wide`).
constexpr Index page_bytes = 4096;
// Samples packed at a time for gradients.
constexpr Index most_packed_samples = 1024;
// Up to here a transposed strip of weights costs more than lane-wise dot products.
constexpr Index rows_by_dot_product = 3;

// The block of one worker: by rows where there are enough of them, else by columns.
template <class T> struct OutputBlock {
    Range rows, columns;
    OutputBlock(Index n_rows, Index n_columns, Worker worker) : rows{0, n_rows}, columns{0, n_columns} {
        if (n_rows >= 16 * worker.count) rows = runtime::share(n_rows, 1, worker);
        else columns = runtime::share(n_columns, 2 * lanes<T>, worker);
    }
};

// Rows of a user's matrix in panels: where they are long, they lie a page apart and all on the same few cache sets.
template <class T> struct PackedRows {
    Grid<T> grid;
    Index columns;
    PackedRows(Index rows, Index n_columns) : grid{nullptr, lanes<T>, lines_apart(rows) * lanes<T>}, columns(n_columns) {}
    Index elements() const { return grid.vec * panels_of<T>(columns); }
};
template <class T> bool has_long_rows(Index row) { return row * static_cast<Index>(sizeof(T)) >= page_bytes; }

// output[part] = init + a . b, where pack(first, count, column, width, strip) packs b's rows [first, first + count) of
// some columns into the panels of a strip.
template <class T, class Pack>
void packed_product(const Grid<const T>& a, Index inner, const OutputBlock<T>& part, const Grid<const T>& bias, const Grid<T>& output, const Pack& pack) {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Blocks<T> blocks;
    // twice as many rows as in a plan: here weights are packed again for each block of them
    const Index rows_each = std::min(part.rows.last - part.rows.first, 2 * blocks.rows), first_column = part.columns.first;
    const bool packs_a = has_long_rows<T>(a.row), packs_sums = has_long_rows<T>(output.row) && inner > blocks.inner;
    PackedRows<T> strip(blocks.inner, std::min(part.columns.last - first_column, strip_panels * lanes<T>));
    PackedRows<T> packed_a(rows_each, packs_a ? std::min(inner, blocks.inner) : 0);
    PackedRows<T> sums(rows_each, packs_sums ? part.columns.last - first_column : 0);  // so far, until the last block of inner
    strip.grid.data = runtime::scratch<T>(strip.elements() + packed_a.elements() + sums.elements());
    packed_a.grid.data = strip.grid.data + strip.elements();
    sums.grid.data = packed_a.grid.data + packed_a.elements();
    for (Index row = part.rows.first; row < part.rows.last; row += rows_each)
        for (Index first = 0; first < inner; first += blocks.inner) {
            const Index rows = std::min(part.rows.last - row, rows_each), count = std::min(inner - first, blocks.inner);
            const bool last = first + count == inner;
            Grid<const T> left = offset(a, row, first / lanes<T>);
            if (packs_a) {
                kernel.gather({rows, count, left.data, number_of<T>, a.row, nullptr, 0, packed_a.grid});
                left = constant(packed_a.grid);
            }
            for (Index c = first_column; c < part.columns.last; c += strip_panels * lanes<T>) {
                const Index width = std::min(part.columns.last - c, strip_panels * lanes<T>);
                pack(first, count, c, width, strip.grid);
                const Grid<T> result = offset(output, row, c / lanes<T>);
                const Grid<T> partial = packs_sums ? offset(sums.grid, 0, (c - first_column) / lanes<T>) : result;
                const Grid<const T> start = first > 0 ? constant(partial) : (bias.data ? offset(bias, 0, c / lanes<T>) : bias);
                kernel.product({rows, count, width, left, constant(strip.grid), start, last ? result : partial, false, false});
            }
        }
}

template <class T>
void forward_part(const DenseShape& shape, const T* inputs, const T* weights, const T* biases, T* output, Worker worker) {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const OutputBlock<T> part(shape.samples, shape.n_neurons, worker);
    const Index rows = part.rows.last - part.rows.first, columns = part.columns.last - part.columns.first;
    if (rows <= 0 || columns <= 0) return;
    const Grid<const T> a = rows_of(inputs, shape.n_inputs), b = rows_of(weights, shape.n_neurons);
    const Grid<const T> bias = {biases, 0, lanes<T>};
    const Grid<T> out = rows_of(output, shape.n_neurons);
    const Index bytes = shape.n_inputs * shape.n_neurons * static_cast<Index>(sizeof(T));
    if (shape.n_inputs == 0 || rows < rows_worth_packing || bytes <= bytes_read_in_place) {
        const Index v = part.columns.first / lanes<T>;
        kernel.product({rows, shape.n_inputs, columns, offset(a, part.rows.first, 0), offset(b, 0, v), offset(bias, 0, v),
                        offset(out, part.rows.first, v), false, false});
        return;
    }
    packed_product(a, shape.n_inputs, part, bias, out, [&](Index first, Index count, Index c, Index width, const Grid<T>& strip) {
        kernel.gather({count, width, weights + c, number_of<T>, shape.n_neurons, nullptr, first, strip});
    });
}

template <class T>
void dinputs_part(const DenseShape& shape, const T* dvalues, const T* weights, T* dinputs, Worker worker) {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const OutputBlock<T> part(shape.samples, shape.n_inputs, worker);
    const Index rows = part.rows.last - part.rows.first, columns = part.columns.last - part.columns.first;
    if (rows <= 0 || columns <= 0) return;
    const Grid<const T> a = rows_of(dvalues, shape.n_neurons), w = rows_of(weights, shape.n_neurons);
    const Grid<T> out = rows_of(dinputs, shape.n_inputs);
    const Index v = part.columns.first / lanes<T>;
    if (shape.samples <= rows_by_dot_product || shape.n_neurons == 0) {
        const Grid<const T> b = {weights + part.columns.first * shape.n_neurons, w.row, w.vec};
        kernel.product_nt({rows, shape.n_neurons, columns, offset(a, part.rows.first, 0), b, {nullptr, 0, 0}, offset(out, part.rows.first, v), false, false});
        return;
    }
    packed_product(a, shape.n_neurons, part, {nullptr, 0, lanes<T>}, out, [&](Index first, Index count, Index c, Index width, const Grid<T>& strip) {
        for (Index i = 0; i < width; i += lanes<T>) {
            const Index here = width - i < lanes<T> ? width - i : lanes<T>;
            kernel.transpose(here, count, {weights + (c + i) * shape.n_neurons + first, shape.n_neurons, lanes<T>},
                             {strip.data + i / lanes<T> * strip.vec, lanes<T>, lanes<T>});
        }
    });
}

// dweights and dbiases of some neurons, over some samples from `first` on (at most a group's, chunks.hpp): into rows of
// `width`, the biases behind the others.
template <class T> struct Gradient {
    T* dweights;
    Index row;
    T* dbiases;
};

template <class T> Gradient<T> from_column(const Gradient<T>& gradient, Index c) { return {gradient.dweights + c, gradient.row, gradient.dbiases + c}; }

// In place: rows of few columns, read as they stand.
template <class T> void group_gradient(const DenseShape& shape, const T* inputs, const T* dvalues, Index first, Index samples, Index width, const Gradient<T>& out) {
    const T one = 1;
    const Grid<const T> ones = {&one, 0, 0}, none = {nullptr, 0, 0};
    const Grid<T> dweights = {out.dweights, out.row, lanes<T>}, dbiases = {out.dbiases, 0, lanes<T>};
    for_each_chunk(samples, [&](Index at, Index count, bool adds) {
        const Grid<const T> a = rows_of(inputs + (first + at) * shape.n_inputs, shape.n_inputs), b = rows_of(dvalues + (first + at) * shape.n_neurons, shape.n_neurons);
        runtime::kernels<T>().product_tn({shape.n_inputs, count, width, a, b, adds ? constant(dweights) : none, dweights, false, false, adds});
        runtime::kernels<T>().product_tn({1, count, width, ones, b, adds ? constant(dbiases) : none, dbiases, false, false, adds});
    });
}

// Where there are many columns, rows are packed first, so that the walk over samples touches neighbouring lines: dvalues once,
// inputs a few panels at a time, which stay in L2 while the panels of dvalues pass by.
template <class T>
void packed_group_gradient(const DenseShape& shape, const T* inputs, const T* dvalues, Index first, Index samples, Index width, const Gradient<T>& out, PackedRows<T>& a,
                           PackedRows<T>& b) {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index group = kernel.product_tn_vectors * lanes<T>;
    const T one = 1;
    const Grid<const T> ones = {&one, 0, 0}, none = {nullptr, 0, 0};
    const Grid<T> dweights = {out.dweights, out.row, lanes<T>}, dbiases = {out.dbiases, 0, lanes<T>};
    kernel.gather({samples, width, dvalues, number_of<T>, shape.n_neurons, nullptr, first, b.grid});
    const auto gradient = [&](Index rows, const Grid<const T>& left, Index c, const Grid<T>& output) {
        for_each_chunk(samples, [&](Index at, Index count, bool adds) {
            kernel.product_tn({rows, count, std::min(width - c, group), offset(left, at, 0), offset(constant(b.grid), at, c / lanes<T>),
                               adds ? constant(output) : none, output, false, false, adds});
        });
    };
    for (Index i = 0; i < shape.n_inputs; i += a.columns) {
        const Index rows = std::min(shape.n_inputs - i, a.columns);
        kernel.gather({samples, rows, inputs + i, number_of<T>, shape.n_inputs, nullptr, first, a.grid});
        for (Index c = 0; c < width; c += group) {
            if (i == 0) gradient(1, ones, c, offset(dbiases, 0, c / lanes<T>));
            gradient(rows, constant(a.grid), c, offset(dweights, i, c / lanes<T>));
        }
    }
}

template <class T>
void dweights_part(const DenseShape& shape, const T* inputs, const T* dvalues, T* dweights, T* dbiases, Worker worker) {
    const Index group = runtime::kernels<T>().product_tn_vectors * lanes<T>;
    const Range columns = runtime::share(shape.n_neurons, worker.count > 1 ? group : shape.n_neurons + !shape.n_neurons, worker);
    if (columns.first >= columns.last) return;
    const Index width = columns.last - columns.first, groups = (shape.samples + group_samples - 1) / group_samples;
    const bool pack = shape.samples >= 32 && shape.n_inputs >= 64 && width >= 64;
    const Index block = std::min(shape.samples, group_samples);
    const Blocks<T> blocks;
    const Index chunk = std::max<Index>(blocks.quarter_l2 / (std::max<Index>(block, 1) * line_bytes), 1) * lanes<T>;
    PackedRows<T> a(block, pack ? std::min(chunk, shape.n_inputs) : 0), b(block, pack ? width : 0);
    // sums of groups stand in rows of whole vectors
    const Index row = panels_of<T>(width) * lanes<T>, elements = (shape.n_inputs + 1) * row;
    const Index room = groups > 1 ? Cascade<T>::levels(groups) * elements : 0;
    T* const scratch = runtime::scratch<T>(a.elements() + b.elements() + room);
    a.grid.data = scratch;
    b.grid.data = scratch + a.elements();
    const auto sum_of_group = [&](Index first, const Gradient<T>& out) {
        const Index samples = std::min(shape.samples - first, group_samples);
        if (pack) packed_group_gradient(shape, inputs, dvalues + columns.first, first, samples, width, out, a, b);
        else group_gradient(shape, inputs, dvalues + columns.first, first, samples, width, out);
    };
    const Gradient<T> out = from_column<T>({dweights, shape.n_neurons, dbiases}, columns.first);
    if (groups <= 1) return sum_of_group(0, out);
    Cascade<T> sums(scratch + a.elements() + b.elements(), elements);
    for (Index first = 0; first < shape.samples; first += group_samples) {
        sum_of_group(first, {sums.place(), row, sums.place() + shape.n_inputs * row});
        sums.add();
    }
    const T* total = sums.total();
    for (Index i = 0; i < shape.n_inputs; ++i, total += row) std::copy_n(total, width, out.dweights + i * out.row);
    std::copy_n(total, width, out.dbiases);
}

}  // namespace

template <class T> void dense_forward(DenseShape shape, const T* inputs, const T* weights, const T* biases, T* output) {
    runtime::run_call(shape.flops(), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        forward_part(shape, inputs, weights, biases, output, worker);
    });
}

template <class T>
void dense_backward(DenseShape shape, const T* inputs, const T* dvalues, const T* weights, T* dweights, T* dbiases, T* dinputs) {
    runtime::run_call(2 * shape.flops(), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        dweights_part(shape, inputs, dvalues, dweights, dbiases, worker);
        dinputs_part(shape, dvalues, weights, dinputs, worker);
    });
}

template void dense_forward(DenseShape, const float*, const float*, const float*, float*);
template void dense_forward(DenseShape, const double*, const double*, const double*, double*);
template void dense_backward(DenseShape, const float*, const float*, const float*, float*, float*, float*);
template void dense_backward(DenseShape, const double*, const double*, const double*, double*, double*, double*);

}  // namespace chainrule::model
