#include "model/periodic.hpp"

#include <algorithm>

#include "model/chunks.hpp"
#include "model/passing.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

// Rows are shared out forward, columns backward, so that each sum over samples is one worker's: a kernel's over a group of
// samples, then those of the groups in order.

namespace chainrule::model {
namespace {

using runtime::Range;
using runtime::Worker;

Index groups_of(Index samples) { return std::max<Index>((samples + group_samples - 1) / group_samples, 1); }

Index sums_of_column(const PeriodicShape& shape) { return shape.n_frequencies * (2 + shape.n_mixed) + shape.n_mixed; }

// A column's gradients to where they belong.
template <class T> void put_column(const PeriodicShape& shape, Index column, const T* sums, const PeriodicGradients<T>& gradients) {
    const auto take = [&](T* to, Index count) {
        std::copy_n(sums, count, to + column * count);
        sums += count;
    };
    take(gradients.dfrequencies, shape.n_frequencies);
    take(gradients.dphases, shape.n_frequencies);
    take(gradients.dweights, shape.n_frequencies * shape.n_mixed);
    take(gradients.dbiases, shape.n_mixed);
}

}  // namespace

template <class T> Index periodic_gradient_scratch(const PeriodicShape& shape) {
    return periodic_scratch<T>(shape.n_frequencies, shape.n_mixed) + Cascade<T>::levels(groups_of(shape.samples)) * sums_of_column(shape);
}

template <class T> const T* periodic_column_gradients(const PeriodicShape& shape, const PeriodicColumn<T>& column) {
    const Index c = column.column;
    PeriodicJob<T> job = {};
    job.columns = 1;
    job.n_frequencies = shape.n_frequencies;
    job.mixed = shape.n_mixed;
    job.frequencies = column.frequencies + c * shape.n_frequencies;
    job.phases = column.phases + c * shape.n_frequencies;
    job.weights = column.weights + c * shape.n_frequencies * shape.n_mixed;
    job.input_row = column.input_row;
    job.output_row = column.output_row;
    job.scratch = column.scratch;
    Cascade<T> sums(column.scratch + periodic_scratch<T>(shape.n_frequencies, shape.n_mixed), sums_of_column(shape));
    Index first = 0;
    do {
        job.rows = std::min(shape.samples - first, group_samples);
        job.inputs = column.inputs + first * job.input_row + c;
        job.dvalues = column.dvalues + first * job.output_row + c * (shape.n_mixed + 1);
        job.dinputs = column.dinputs ? column.dinputs + first * job.input_row + c : nullptr;
        job.sums = sums.place();
        runtime::kernels<T>().periodic_backward(job);
        sums.add();
    } while ((first += group_samples) < shape.samples);
    return sums.total();
}

template <class T> void periodic_rows(const PeriodicShape& shape, const PeriodicRows<T>& rows) {
    PeriodicJob<T> job = {};
    job.rows = rows.count;
    job.columns = shape.n_periodic;
    job.n_frequencies = shape.n_frequencies;
    job.mixed = shape.n_mixed;
    job.frequencies = rows.frequencies;
    job.phases = rows.phases;
    job.weights = rows.weights;
    job.biases = rows.biases;
    job.inputs = rows.inputs;
    job.input_row = rows.input_row;
    job.output = rows.output;
    job.output_row = rows.output_row;
    job.scratch = rows.scratch;
    runtime::kernels<T>().periodic_forward(job);
    pass_columns({0, rows.count}, shape.n_passed, rows.inputs + shape.n_periodic, rows.input_row, rows.output + shape.n_outputs() - shape.n_passed, rows.output_row);
}

template <class T>
void periodic_forward(const PeriodicShape& shape, const T* inputs, const T* frequencies, const T* phases, const T* weights, const T* biases, T* output) {
    runtime::run_call(shape.flops(), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        const Range mine = runtime::share(shape.samples, lanes<T>, worker);
        const Index in = shape.n_inputs(), out = shape.n_outputs();
        T* const scratch = runtime::scratch<T>(periodic_scratch<T>(shape.n_frequencies, shape.n_mixed));
        periodic_rows<T>(shape, {mine.last - mine.first, inputs + mine.first * in, in, frequencies, phases, weights, biases, output + mine.first * out, out, scratch});
    });
}

template <class T>
void periodic_backward(const PeriodicShape& shape, const T* inputs, const T* dvalues, const T* frequencies, const T* phases, const T* weights,
                       const PeriodicGradients<T>& gradients) {
    runtime::run_call(2 * shape.flops(), [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        const Range columns = runtime::share(shape.n_periodic, 1, worker);
        T* const scratch = columns.first < columns.last ? runtime::scratch<T>(periodic_gradient_scratch<T>(shape)) : nullptr;
        for (Index c = columns.first; c < columns.last; ++c) {
            const PeriodicColumn<T> column = {c, inputs, shape.n_inputs(), dvalues, shape.n_outputs(), frequencies, phases, weights, gradients.dinputs, scratch};
            put_column(shape, c, periodic_column_gradients(shape, column), gradients);
        }
        if (gradients.dinputs)
            pass_columns(runtime::share(shape.samples, 1, worker), shape.n_passed, dvalues + shape.n_outputs() - shape.n_passed, shape.n_outputs(),
                         gradients.dinputs + shape.n_periodic, shape.n_inputs());
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                                                  \
    template void periodic_rows(const PeriodicShape&, const PeriodicRows<T>&);                                    \
    template Index periodic_gradient_scratch<T>(const PeriodicShape&);                                            \
    template const T* periodic_column_gradients(const PeriodicShape&, const PeriodicColumn<T>&);                  \
    template void periodic_forward(const PeriodicShape&, const T*, const T*, const T*, const T*, const T*, T*);   \
    template void periodic_backward(const PeriodicShape&, const T*, const T*, const T*, const T*, const T*, const PeriodicGradients<T>&);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
