// The functions of elementary.inl over arrays, for elementary_cases.py. One shared library per CPU target.

#include "kernels/kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace chainrule {
namespace {

#include "kernels/vec.inl"

#include "kernels/elementary.inl"

template <class T, class Function> void all(Index n, const T* x, T* y, Function function) {
    Index i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) store(y + i, function(load(x + i)));
    if (i < n) store(y + i, function(load(x + i, Tail{n - i})), Tail{n - i});
}

}  // namespace

#define EXPORT_AS(name, formula)                                                                                                    \
    extern "C" void name##_float32(Index n, const float* from, float* to) { all(n, from, to, [](const auto& x) { return formula; }); } \
    extern "C" void name##_float64(Index n, const double* from, double* to) { all(n, from, to, [](const auto& x) { return formula; }); }
#define EXPORT(name) EXPORT_AS(name, name(x))

EXPORT(exponential)
EXPORT(exponential_any)
EXPORT(exponential_minus_1)
EXPORT(logarithm_of_1_plus)
EXPORT(softplus)
EXPORT(logarithm_of_cosh)
EXPORT(complementary_error_function)
EXPORT(normal_density)
EXPORT(normal_distribution)
EXPORT(cosine_of_turns)
EXPORT(sine_of_turns)
EXPORT_AS(tanh_of_softplus, hyperbolic_tangent_of_softplus(x).value)
EXPORT_AS(slope_of_tanh_of_softplus, hyperbolic_tangent_of_softplus(x).slope)

}  // namespace chainrule
