#include "model/finite.hpp"

#include <cfloat>

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

}  // namespace chainrule::model
