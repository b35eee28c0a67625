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

double cost(Activation kind) { return kind == Activation::relu || kind == Activation::linear ? cheap : costly; }

template <class T> Grid<T> rows_from(T* data, Index first, Index columns) {
    return {data ? data + first * columns : nullptr, columns, lanes<std::remove_const_t<T>>};
}

}  // namespace

template <class T> void activation_forward(Activation kind, Index n, const T* inputs, T* output) {
    for_shares(n, lanes<T>, cost(kind), [&](Index first, Index count) {
        runtime::kernels<T>().activation_forward(kind, count, inputs + first, output + first);
    });
}

template <class T> void activation_backward(Activation kind, Index n, const T* dvalues, const T* output, T* dinputs) {
    for_shares(n, lanes<T>, cheap, [&](Index first, Index count) {
        runtime::kernels<T>().activation_backward(kind, count, dvalues + first, output + first, dinputs + first);
    });
}

template <class T> void softmax_forward(Index rows, Index columns, const T* inputs, T* output) {
    if (columns == 0) return;
    for_shares(rows, lanes<T>, costly * static_cast<double>(columns), [&](Index first, Index count) {
        runtime::kernels<T>().softmax_forward(count, columns, rows_from(inputs, first, columns), rows_from(output, first, columns),
                                              runtime::scratch<T>(columns * lanes<T>), false, false);
    });
}

template <class T> void softmax_backward(Index rows, Index columns, const T* dvalues, const T* output, T* dinputs) {
    if (columns == 0) return;
    for_shares(rows, lanes<T>, cheap * static_cast<double>(columns), [&](Index first, Index count) {
        runtime::kernels<T>().softmax_backward(count, columns, rows_from(dvalues, first, columns), rows_from(output, first, columns),
                                               rows_from(dinputs, first, columns), runtime::scratch<T>(2 * columns * lanes<T>), false, false);
    });
}

template <class T>
void dropout_forward(Index n, double keep, std::uint64_t key, std::uint64_t step, const T* inputs, T* output, T* mask) {
    for_shares(n, lanes<T>, costly, [&](Index first, Index count) {
        const Kernels<T>& kernel = runtime::kernels<T>();
        kernel.dropout_mask(count, keep, key, step, static_cast<std::uint64_t>(first), mask + first);
        kernel.multiply(count, inputs + first, mask + first, output + first);
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
    for_shares(job.n, lanes<T>, 2 * cheap, [&](Index first, Index count) {
        UpdateJob<T> part = job;
        part.n = count;
        part.gradient += first;
        part.parameter += first;
        if (part.momentums) part.momentums += first;
        if (part.cache) part.cache += first;
        runtime::kernels<T>().update(part);
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
        job.loss = arrays.loss;
        job.metric = Metric::none;
        job.rows = count;
        job.cols = m;
        job.output = rows_from(arrays.output, first, m);
        job.targets = rows_from(arrays.targets, first, m);
        job.labels = arrays.labels ? arrays.labels + first : nullptr;
        job.sample_losses = arrays.sample_losses ? arrays.sample_losses + first : nullptr;
        job.dvalues = rows_from(arrays.dvalues, first, m);
        job.scale = static_cast<T>(1.0 / static_cast<double>(arrays.rows));
        job.scratch = runtime::scratch<T>(3 * m * lanes<T>);
        runtime::kernels<T>().loss(job);
    });
}

#define CHAINRULE_INSTANTIATE(T)                                                                                           \
    template void activation_forward(Activation, Index, const T*, T*);                                                     \
    template void activation_backward(Activation, Index, const T*, const T*, T*);                                          \
    template void softmax_forward(Index, Index, const T*, T*);                                                             \
    template void softmax_backward(Index, Index, const T*, const T*, T*);                                                  \
    template void dropout_forward(Index, double, std::uint64_t, std::uint64_t, const T*, T*, T*);                          \
    template void multiply(Index, const T*, const T*, T*);                                                                 \
    template void regularize(Index, double, double, const T*, T*);                                                         \
    template void update(const UpdateJob<T>&);                                                                             \
    template double sum(Index, const T*);                                                                                  \
    template void loss(const LossArrays<T>&);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
