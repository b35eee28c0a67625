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

#include "elementary.inl"

#include "activations.inl"

#include "product.inl"

#include "product_tn.inl"

#include "transpose.inl"

#include "product_nt.inl"

#include "losses.inl"

#include "softmax.inl"

#include "optimizers.inl"

#include "sums.inl"

#include "dropout.inl"

#include "peak.inl"

template <class T> constexpr Kernels<T> kernels = {
    product_rows,        product_vectors,      product_tn_rows,      product_tn_vectors,
    product<T>,          product_tn<T>,        product_nt<T>,        partial_sums_nt<T>,
    transpose<T>,        gather<T>,            gather_transposed<T>, activation_forward<T>,
    activation_backward<T>,
    softmax_forward<T>,  softmax_backward<T>,  dropout_mask<T>,      multiply<T>,
    logarithm_all<T>,    loss<T>,              update<T>,            update_panels<T>,
    update_skinny<T>,
    regularize<T>,       sum<T>,              sum_of_squares<T>,
    fma_chain<T>,
};

}  // namespace

#define CHAINRULE_JOIN(a, b) a##b
#define CHAINRULE_NAME(target) CHAINRULE_JOIN(chainrule_target_, target)
#define CHAINRULE_TEXT(x) #x
#define CHAINRULE_STRING(x) CHAINRULE_TEXT(x)

extern "C" const Target CHAINRULE_NAME(CHAINRULE_KERNEL_TARGET);
extern "C" const Target CHAINRULE_NAME(CHAINRULE_KERNEL_TARGET) = {CHAINRULE_STRING(CHAINRULE_KERNEL_TARGET), has_fma, kernels<float>,
                                                                   kernels<double>};

}  // namespace chainrule
