#include "model/dense.hpp"

#include <algorithm>

#include "model/blocks.hpp"
#include "model/chunks.hpp"
#include "model/grids.hpp"
#include "runtime/caches.hpp"
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
// Rows up to this length are not packed for gradients: a chunk's lie close together (chosen on 1000 x 64 x 64 and `digits`).
constexpr Index narrow_bytes = 512;
// Vectors of inputs that dvalues pass by at a time: a chunk of samples of them, and the sums, stay in L1.
constexpr Index vectors_together = 6;
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

// The length of passes over the inner index, as equal as whole vectors allow: longer than a plan's as long as a tile's strip of
// weights is half of L1 at most, since each pass comes back to the sums. Long rows are packed, and then the samples' part of a
// pass stays in L2 (chosen on `wide`).
template <class T> Index length_of_pass(Index inner, Index rows, bool packs) {
    const Blocks<T> blocks;
    Index most = runtime::caches().l1 / 2 / (runtime::kernels<T>().product_vectors * line_bytes);
    if (packs) most = std::min(most, blocks.quarter_l2 / (rows * static_cast<Index>(sizeof(T))));
    most = std::max(most / lanes<T> * lanes<T>, blocks.inner);
    const Index passes = (inner + most - 1) / most;
    return whole_vectors<T>((inner + passes - 1) / passes);
}

// output[part] = init + a . b, where pack(first, count, column, width, strip) packs b's rows [first, first + count) of
// some columns into the panels of a strip.
template <class T, class Pack>
void packed_product(const Grid<const T>& a, Index inner, const OutputBlock<T>& part, const Grid<const T>& bias, const Grid<T>& output, const Pack& pack) {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Blocks<T> blocks;
    // twice as many rows as in a plan: here weights are packed again for each block of them
    const Index rows_each = std::min(part.rows.last - part.rows.first, 2 * blocks.rows), first_column = part.columns.first;
    const bool packs_a = has_long_rows<T>(a.row), long_sums = has_long_rows<T>(output.row);
    const Index pass = length_of_pass<T>(inner, part.rows.last - part.rows.first, packs_a || long_sums);
    const bool packs_sums = long_sums && inner > pass;
    PackedRows<T> strip(pass, std::min(part.columns.last - first_column, strip_panels * lanes<T>));
    PackedRows<T> packed_a(rows_each, packs_a ? pass : 0);
    PackedRows<T> sums(rows_each, packs_sums ? part.columns.last - first_column : 0);  // so far, until the last block of inner
    strip.grid.data = runtime::scratch<T>(strip.elements() + packed_a.elements() + sums.elements());
    packed_a.grid.data = strip.grid.data + strip.elements();
    sums.grid.data = packed_a.grid.data + packed_a.elements();
    for (Index row = part.rows.first; row < part.rows.last; row += rows_each)
        for (Index first = 0; first < inner; first += pass) {
            const Index rows = std::min(part.rows.last - row, rows_each), count = std::min(inner - first, pass);
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

// dweights and dbiases of some neurons, over a block of samples at most (chunks.hpp): into rows of `row` elements, the biases
// behind the others.
template <class T> struct Gradient {
    T* dweights;
    Index row;
    T* dbiases;
};

template <class T> Gradient<T> from_column(const Gradient<T>& gradient, Index c) { return {gradient.dweights + c, gradient.row, gradient.dbiases + c}; }

// Adds rows of a grid to those of another; both are row-major.
template <class T> void add_rows(Index rows, Index columns, const Grid<T>& more, const Grid<T>& sums) {
    for (Index r = 0; r < rows; ++r)
        for (Index c = 0; c < columns; ++c) sums.data[r * sums.row + c] += more.data[r * more.row + c];
}

// out = row . b, a row of one value a sample by the samples' rows of b; the panels of `row` are row_vec apart. `room` holds two
// rows of whole vectors.
template <class T> void row_gradient(const T* row, Index row_vec, Index samples, Index width, const Grid<const T>& b, T* out, T* room) {
    static_assert(chunk_samples % lanes<T> == 0);
    const Grid<const T> none = {nullptr, 0, 0};
    const Grid<T> total = rows_of(out, width), chunk_sum = rows_of(room, whole_vectors<T>(width)), group_sum = rows_of(room + chunk_sum.row, chunk_sum.row);
    for_each_group(samples, [&](Index first, Index in_group, bool adds_group) {
        const Grid<T>& group = adds_group ? group_sum : total;
        for_each_chunk(in_group, [&](Index at, Index count, bool adds) {
            const Grid<const T> a = {row + (first + at) / lanes<T> * row_vec, 0, row_vec};
            runtime::kernels<T>().product({1, count, width, a, offset(b, first + at, 0), none, adds ? chunk_sum : group, false, false});
            if (adds) add_rows(1, width, chunk_sum, group);
        });
        if (adds_group) add_rows(1, width, group, total);
    });
}
template <class T> void sum_of_rows(Index samples, Index width, const Grid<const T>& b, T* out, T* room) {
    T ones[lanes<T>];
    std::fill_n(ones, lanes<T>, T(1));
    row_gradient<T>(ones, 0, samples, width, b, out, room);
}

// In place: rows of few columns, read as they stand.
template <class T>
void gradient_in_place(const DenseShape& shape, const T* inputs, const T* dvalues, Index samples, Index width, const Gradient<T>& out, T* row_room, T* room) {
    const Grid<const T> none = {nullptr, 0, 0}, a = rows_of(inputs, shape.n_inputs), b = rows_of(dvalues, shape.n_neurons);
    sum_of_rows(samples, width, b, out.dbiases, row_room);
    if (shape.n_neurons == 1) return row_gradient(dvalues, lanes<T>, samples, shape.n_inputs, a, out.dweights, row_room);
    const Grid<T> total = rows_of(out.dweights, out.row), group_sum = rows_of(room, whole_vectors<T>(width));
    for_each_group(samples, [&](Index first, Index in_group, bool adds_group) {
        const Grid<T>& group = adds_group ? group_sum : total;
        for_each_chunk(in_group, [&](Index at, Index count, bool adds) {
            runtime::kernels<T>().product_tn({shape.n_inputs, count, width, offset(a, first + at, 0), offset(b, first + at, 0), adds ? constant(group) : none, group,
                                              false, false, adds});
        });
        if (adds_group) add_rows(shape.n_inputs, width, group, total);
    });
}

// Where there are many columns, rows are packed first, so that the walk over samples touches neighbouring lines: dvalues once,
// inputs a few vectors at a time. A chunk's part of those stays in L1 while the panels of dvalues pass by, and so do the sums;
// only the last ones go to dweights, whose rows may be a page apart.
template <class T>
void packed_gradient(const DenseShape& shape, const T* inputs, const T* dvalues, Index samples, Index width, const Gradient<T>& out, const Grid<T>& a, const Grid<T>& b,
                     T* row_room, T* room) {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index columns_together = kernel.product_tn_vectors * lanes<T>;
    const Grid<const T> none = {nullptr, 0, 0};
    const Grid<T> so_far = rows_of(room, columns_together), groups_so_far = rows_of(room + a.row * columns_together, columns_together);
    kernel.gather({samples, width, dvalues, number_of<T>, shape.n_neurons, nullptr, 0, b});
    sum_of_rows(samples, width, constant(b), out.dbiases, row_room);
    for (Index i = 0; i < shape.n_inputs; i += a.row) {
        const Index rows = std::min(shape.n_inputs - i, a.row);
        kernel.gather({samples, rows, inputs + i, number_of<T>, shape.n_inputs, nullptr, 0, a});
        for (Index c = 0; c < width; c += columns_together) {
            const Index columns = std::min(width - c, columns_together);
            const Grid<T> dweights = rows_of(out.dweights + i * out.row + c, out.row);
            for_each_group(samples, [&](Index first, Index in_group, bool adds_group) {
                const bool last_group = first + in_group == samples;
                for_each_chunk(in_group, [&](Index at, Index count, bool adds) {
                    const bool last = at + count == in_group && !adds_group;
                    const Grid<T>& output = !last ? so_far : last_group ? dweights : groups_so_far;
                    kernel.product_tn({rows, count, columns, offset(constant(a), first + at, 0), offset(constant(b), first + at, c / lanes<T>),
                                       adds ? constant(so_far) : none, output, false, false, adds});
                });
                if (!adds_group) return;
                add_rows(rows, columns, so_far, groups_so_far);
                for (Index r = 0; last_group && r < rows; ++r) std::copy_n(groups_so_far.data + r * groups_so_far.row, columns, dweights.data + r * dweights.row);
            });
        }
    }
}

template <class T>
void dweights_part(const DenseShape& shape, const T* inputs, const T* dvalues, T* dweights, T* dbiases, Worker worker) {
    const Index columns_together = runtime::kernels<T>().product_tn_vectors * lanes<T>;
    const Range columns = runtime::share(shape.n_neurons, worker.count > 1 ? columns_together : shape.n_neurons + !shape.n_neurons, worker);
    if (columns.first >= columns.last) return;
    const Index width = columns.last - columns.first, blocks = (shape.samples + block_samples - 1) / block_samples;
    const bool narrow = std::max(shape.n_inputs, shape.n_neurons) * static_cast<Index>(sizeof(T)) <= narrow_bytes;
    const bool pack = !narrow && shape.samples >= 32 && shape.n_inputs >= 64 && width >= 64;
    const Index block = std::min(shape.samples, block_samples);
    const Index inputs_together = pack ? std::min(vectors_together * lanes<T>, whole_vectors<T>(shape.n_inputs)) : 0;
    PackedRows<T> b(block, pack ? width : 0);
    // sums of blocks stand in rows of whole vectors, those of one neuron side by side
    const Index row = shape.n_neurons == 1 ? 1 : whole_vectors<T>(width), elements = (shape.n_inputs + 1) * row;
    const Index row_room = 2 * whole_vectors<T>(std::max(shape.n_inputs, width));
    const Index group_room = pack ? 2 * inputs_together * columns_together : shape.samples > group_samples ? shape.n_inputs * whole_vectors<T>(width) : 0;
    const Index block_room = blocks > 1 ? Cascade<T>::levels(blocks) * elements : 0;
    T* const for_rows = runtime::scratch<T>(row_room + group_room + block * inputs_together + b.elements() + block_room);
    T* const for_groups = for_rows + row_room;
    const Grid<T> a = rows_of(for_groups + group_room, inputs_together);
    b.grid.data = a.data + block * inputs_together;
    const auto sum_of_block = [&](Index first, const Gradient<T>& out) {
        const Index samples = std::min(shape.samples - first, block_samples);
        const T* const x = inputs + first * shape.n_inputs;
        const T* const d = dvalues + first * shape.n_neurons + columns.first;
        if (pack) packed_gradient(shape, x, d, samples, width, out, a, b.grid, for_rows, for_groups);
        else gradient_in_place(shape, x, d, samples, width, out, for_rows, for_groups);
    };
    const Gradient<T> out = from_column<T>({dweights, shape.n_neurons, dbiases}, columns.first);
    if (blocks <= 1) return sum_of_block(0, out);
    Cascade<T> sums(b.grid.data + b.elements(), elements);
    for (Index first = 0; first < shape.samples; first += block_samples) {
        sum_of_block(first, {sums.place(), row, sums.place() + shape.n_inputs * row});
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
    runtime::run_call((dinputs ? 2 : 1) * shape.flops(), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        dweights_part(shape, inputs, dvalues, dweights, dbiases, worker);
        if (dinputs) dinputs_part(shape, dvalues, weights, dinputs, worker);
    });
}

template void dense_forward(DenseShape, const float*, const float*, const float*, float*);
template void dense_forward(DenseShape, const double*, const double*, const double*, double*);
template void dense_backward(DenseShape, const float*, const float*, const float*, float*, float*, float*);
template void dense_backward(DenseShape, const double*, const double*, const double*, double*, double*, double*);

}  // namespace chainrule::model
