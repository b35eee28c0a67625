// All kernels for one CPU target. Compiled once per target, see CMakeLists.txt.
//
// Everything lives in an unnamed namespace and no standard-library template is used: two targets must not share an
// inline function, or the linker may keep the newest CPU's copy for everybody. The one symbol that leaves is the table.

#include "kernels/kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace chainrule {
namespace {

#include "vec.inl"

#include "lists.inl"

#include "elementary.inl"

#include "elementwise.inl"

#include "activations.inl"

#include "heights.inl"

#include "product.inl"

#include "product_tn.inl"

#include "transpose.inl"

#include "product_nt.inl"

#include "blocks.inl"

#include "softmax.inl"

#include "periodic.inl"

#include "metrics.inl"

#include "losses.inl"

#include "loss.inl"

#include "rules.inl"

#include "sums.inl"

#include "philox.inl"

#include "dropout.inl"

#include "peak.inl"

#include "catalogue.inl"

template <class T> constexpr Kernels<T> kernels = {
    product_rows,
    product_vectors,
    product_tn_vectors,
    {Tables<Activations>::of_activations<T>},
    {Tables<Losses>::of_losses<T>},
    {Tables<Rules>::of_rules<T>},
    product<T>,
    product_tn<T>,
    product_tn_few<T>,
    product_nt<T>,
    lane_sums_nt<T>,
    transpose<T>,
    gather<T>,
    gather_transposed<T>,
    draw_dropout,
    drop<T>,
    dropout_forward<T>,
    multiply<T>,
    scale_columns<T>,
    sum_products<T>,
    periodic_forward<T>,
    periodic_backward<T>,
    parametric_forward<T>,
    parametric_backward<T>,
    regularize<T>,
    sum<T>,
    sum_of_squares<T>,
    fma_chain<T>,
};

}  // namespace

#define CHAINRULE_JOIN(a, b) a##b
#define CHAINRULE_NAME(target) CHAINRULE_JOIN(chainrule_target_, target)
#define CHAINRULE_TEXT(x) #x
#define CHAINRULE_STRING(x) CHAINRULE_TEXT(x)

extern "C" const Target CHAINRULE_NAME(CHAINRULE_KERNEL_TARGET);
extern "C" const Target CHAINRULE_NAME(CHAINRULE_KERNEL_TARGET) = {CHAINRULE_STRING(CHAINRULE_KERNEL_TARGET), catalogue, kernels<float>, kernels<double>};

}  // namespace chainrule
