#include "model/elementwise.hpp"

#include <algorithm>
#include <type_traits>

#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

namespace chainrule::model {
namespace {

using runtime::Range;
using runtime::Worker;

// Rough costs, in flops an element: they only decide about threads.
constexpr double cheap = 4, costly = 60;

// Splits `n` elements, in whole groups, over a team where that pays.
template <class Body> void for_shares(Index n, Index group, double flops_each, const Body& body) {
    runtime::run_call(static_cast<double>(n) * flops_each, [&](Worker worker) {
        const runtime::FloatingPointState state(runtime::Subnormals::keep);
        const Range part = runtime::share(n, group, worker);
        if (part.first < part.last) body(part.first, part.last - part.first);
    });
}

double cost_of(const ActivationEntry& entry, bool forward) {
    const double vector_operations = forward || entry.needs_inputs ? static_cast<double>(entry.cost) : 0;
    return std::max(cheap, 2.5 * vector_operations);
}

template <class T> Grid<T> rows_from(T* data, Index first, Index columns) {
    return {data ? data + first * columns : nullptr, columns, lanes<std::remove_const_t<T>>};
}

}  // namespace

template <class T> void activation_forward(const ActivationShape& job, const T* inputs, T* output) {
    const ActivationEntry& entry = runtime::target().catalogue.activations[job.activation];
    const ActivationKernels<T>& kernel = runtime::kernels<T>().activations[job.activation];
    const double cost = cost_of(entry, true);
    if (!entry.by_rows)
        return for_shares(job.rows * job.columns, lanes<T>, cost, [&](Index first, Index count) {
            kernel.forward(count, job.parameters, inputs + first, output + first);
        });
    if (job.columns == 0) return;
    for_shares(job.rows, lanes<T>, cost * static_cast<double>(job.columns), [&](Index first, Index count) {
        kernel.forward_rows(count, job.columns, rows_from(inputs, first, job.columns), rows_from(output, first, job.columns),
                            runtime::scratch<T>(job.columns * lanes<T>), false, false);
    });
}

template <class T> void activation_backward(const ActivationShape& job, const T* dvalues, const T* saved, T* dinputs) {
    const ActivationEntry& entry = runtime::target().catalogue.activations[job.activation];
    const ActivationKernels<T>& kernel = runtime::kernels<T>().activations[job.activation];
    const double cost = cost_of(entry, false);
    if (!entry.by_rows)
        return for_shares(job.rows * job.columns, lanes<T>, cost, [&](Index first, Index count) {
            kernel.backward(count, job.parameters, dvalues + first, saved + first, dinputs + first);
        });
    if (job.columns == 0) return;
    for_shares(job.rows, lanes<T>, cost * static_cast<double>(job.columns), [&](Index first, Index count) {
        kernel.backward_rows(count, job.columns, rows_from(dvalues, first, job.columns), rows_from(saved, first, job.columns),
                             rows_from(dinputs, first, job.columns), runtime::scratch<T>(2 * job.columns * lanes<T>), false, false);
    });
}

template <class T>
void dropout_forward(Index n, double keep, std::uint64_t key, std::uint64_t step, std::uint64_t start, const T* inputs, T* output, T* mask) {
    for_shares(n, lanes<T>, costly, [&](Index first, Index count) {
        runtime::kernels<T>().dropout_forward(count, keep, key, step, start + static_cast<std::uint64_t>(first), inputs + first, output + first, mask + first);
    });
}

template <class T> void multiply(Index n, const T* a, const T* b, T* output) {
    for_shares(n, lanes<T>, cheap, [&](Index first, Index count) {
        runtime::kernels<T>().multiply(count, a + first, b + first, output + first);
    });
}

template <class T> void regularize(Index n, double l1, double l2, const T* parameter, T* gradient) {
    for_shares(n, lanes<T>, cheap, [&](Index first, Index count) {
        runtime::kernels<T>().regularize(count, static_cast<T>(l1), static_cast<T>(l2), parameter + first, gradient + first);
    });
}

template <class T> void update(const UpdateJob<T>& job) {
    const int states = runtime::target().catalogue.rules[job.rule.rule].states.count;
    for_shares(job.n, lanes<T>, 2 * cheap, [&](Index first, Index count) {
        UpdateJob<T> part = job;
        part.n = count;
        part.gradient += first;
        part.parameter += first;
        for (int i = 0; i < states; ++i) part.states[i] += first;
        runtime::kernels<T>().rules[job.rule.rule].update(part);
    });
}

// On one thread: one order of additions.
template <class T> double sum(Index n, const T* values) {
    const runtime::FloatingPointState state(runtime::Subnormals::keep);
    return runtime::kernels<T>().sum(n, values);
}

template <class T> void loss(const LossArrays<T>& arrays) {
    const Index m = arrays.columns;
    if (m == 0) {
        if (arrays.sample_losses) std::fill_n(arrays.sample_losses, arrays.rows, T(0));
        return;
    }
    for_shares(arrays.rows, lanes<T>, costly * static_cast<double>(m), [&](Index first, Index count) {
        LossJob<T> job = {};
        job.metric = Metric::none;
        job.rows = count;
        job.cols = m;
        job.output = rows_from(arrays.output, first, m);
        job.activated = arrays.activated;
        job.target_cols = arrays.target_columns;
        job.targets = rows_from(arrays.targets, first, arrays.target_columns);
        job.parameters = arrays.parameters;
        job.labels = arrays.labels ? arrays.labels + first : nullptr;
        job.sample_losses = arrays.sample_losses ? arrays.sample_losses + first : nullptr;
        job.dvalues = rows_from(arrays.dvalues, first, m);
        job.scale = static_cast<T>(1.0 / static_cast<double>(arrays.rows));
        job.scratch = runtime::scratch<T>(3 * m * lanes<T>);
        runtime::kernels<T>().losses[arrays.loss](job);
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                                                           \
    template void activation_forward(const ActivationShape&, const T*, T*);                                                \
    template void activation_backward(const ActivationShape&, const T*, const T*, T*);                                     \
    template void dropout_forward(Index, double, std::uint64_t, std::uint64_t, std::uint64_t, const T*, T*, T*);           \
    template void multiply(Index, const T*, const T*, T*);                                                                 \
    template void regularize(Index, double, double, const T*, T*);                                                         \
    template void update(const UpdateJob<T>&);                                                                             \
    template double sum(Index, const T*);                                                                                  \
    template void loss(const LossArrays<T>&);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
