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
    for_each_parameter(
        network, [&](const Parameter& parameter, const Shape& shape, const ParameterArrays<T>& place) { finite = finite && (!parameter.learns || all_finite(place.values, shape.count())); }, arrays);
    return finite;
}

template bool all_finite(const float*, Index);
template bool all_finite(const double*, Index);
template bool all_finite(const NetworkArrays<float>&, const Network&);
template bool all_finite(const NetworkArrays<double>&, const Network&);

}  // namespace chainrule::model
