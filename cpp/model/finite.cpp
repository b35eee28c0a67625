#include "model/finite.hpp"

#include <atomic>
#include <cfloat>
#include <limits>

#include "runtime/shares.hpp"

namespace chainrule::model {
namespace {

// Without a branch for each: the loop is one of vectors. NaN is not within.
template <class V> bool within(const V* values, Index count, V limit) {
    Index outside = 0;
    for (Index i = 0; i < count; ++i) outside += !(values[i] >= -limit && values[i] <= limit);
    return outside == 0;
}

}  // namespace

bool all_within(const void* values, Number numbers, Index count, bool as_double) {
    if (numbers == Number::float32) return within(static_cast<const float*>(values), count, FLT_MAX);
    if (numbers == Number::float64) return within(static_cast<const double*>(values), count, as_double ? DBL_MAX : static_cast<double>(FLT_MAX));
    return true;
}

template <class T> bool all_finite(const T* values, Index count) {
    constexpr double flops_each = 20;  // a quarter of a nanosecond, guess
    std::atomic<bool> finite{true};
    runtime::run_team(runtime::threads_for_call(flops_each * static_cast<double>(count)), [&](runtime::Worker worker) {
        const runtime::Range mine = runtime::share(count, lanes<T>, worker);
        if (!within(values + mine.first, mine.last - mine.first, std::numeric_limits<T>::max())) finite.store(false, std::memory_order_relaxed);
    });
    return finite.load();
}

template <class T> bool all_finite(const NetworkArrays<T>& arrays, const Network& network) {
    bool finite = true;
    const auto look_at = [&](const Parameter& parameter, const T* values, Index count) {
        finite = finite && (!parameter.present || !parameter.learns || all_finite(values, count));
    };
    look_at(network.scale, arrays.scale.values, network.n_inputs());
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const Stage& stage = network.stages[s];
        look_at(stage.weights, arrays.stages[s].weights.values, stage.n_inputs * stage.n_neurons);
        look_at(stage.biases, arrays.stages[s].biases.values, stage.n_neurons);
    }
    return finite;
}

template bool all_finite(const float*, Index);
template bool all_finite(const double*, Index);
template bool all_finite(const NetworkArrays<float>&, const Network&);
template bool all_finite(const NetworkArrays<double>&, const Network&);

}  // namespace chainrule::model
