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

// One worker's columns; the sums of a column stand side by side.
template <class T>
void gradients_of(const PeriodicShape& shape, Range columns, const T* inputs, const T* dvalues, const T* frequencies, const T* phases, const T* weights,
                  const PeriodicGradients<T>& gradients) {
    PeriodicJob<T> job = {};
    job.columns = columns.last - columns.first;
    job.n_frequencies = shape.n_frequencies;
    job.mixed = shape.n_mixed;
    job.frequencies = frequencies + columns.first * shape.n_frequencies;
    job.phases = phases + columns.first * shape.n_frequencies;
    job.weights = weights + columns.first * shape.n_frequencies * shape.n_mixed;
    job.input_row = shape.n_inputs();
    job.output_row = shape.n_outputs();
    const Index each = job.sums_of_column(), elements = job.columns * each, groups = std::max<Index>((shape.samples + group_samples - 1) / group_samples, 1);
    const Index room = periodic_scratch<T>(shape.n_frequencies, shape.n_mixed);
    job.scratch = runtime::scratch<T>(room + Cascade<T>::levels(groups) * elements);
    Cascade<T> sums(job.scratch + room, elements);
    Index first = 0;
    do {
        job.rows = std::min(shape.samples - first, group_samples);
        job.inputs = inputs + first * job.input_row + columns.first;
        job.dvalues = dvalues + first * job.output_row + columns.first * (shape.n_mixed + 1);
        job.dinputs = gradients.dinputs ? gradients.dinputs + first * job.input_row + columns.first : nullptr;
        job.sums = sums.place();
        runtime::kernels<T>().periodic_backward(job);
        sums.add();
    } while ((first += group_samples) < shape.samples);
    const T* total = sums.total();
    for (Index c = columns.first; c < columns.last; ++c) {
        const auto take = [&](T* to, Index count) {
            std::copy_n(total, count, to + c * count);
            total += count;
        };
        take(gradients.dfrequencies, shape.n_frequencies);
        take(gradients.dphases, shape.n_frequencies);
        take(gradients.dweights, shape.n_frequencies * shape.n_mixed);
        take(gradients.dbiases, shape.n_mixed);
    }
}

}  // namespace

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
        if (columns.first < columns.last)
            gradients_of(shape, columns, inputs, dvalues, frequencies, phases, weights, gradients);
        if (gradients.dinputs)
            pass_columns(runtime::share(shape.samples, 1, worker), shape.n_passed, dvalues + shape.n_outputs() - shape.n_passed, shape.n_outputs(),
                         gradients.dinputs + shape.n_periodic, shape.n_inputs());
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                                                  \
    template void periodic_rows(const PeriodicShape&, const PeriodicRows<T>&);                                    \
    template void periodic_forward(const PeriodicShape&, const T*, const T*, const T*, const T*, const T*, T*);   \
    template void periodic_backward(const PeriodicShape&, const T*, const T*, const T*, const T*, const T*, const PeriodicGradients<T>&);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
