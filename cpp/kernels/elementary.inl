// exp, log, tanh, sigmoid on Vec<T>, each within 4 ulp. NaN in gives NaN out.
//
// exp:     x = n ln2 + r, |r| <= ln2 / 2; exp(r) = 1 + r + r^2 p(r); times 2^n in two steps (subnormal results)
// tanh:    q / (q + 2) with q = expm1(2 |x|)
// sigmoid: e / (1 + e) for x < 0, 1 / (1 + e) else, e = exp(-|x|)
// log:     x = 2^n m, m in [sqrt(1/2), sqrt(2)); 2 atanh(s) with s = (m - 1) / (m + 1)
// Constants come from derive_polynomials.py.

#include "polynomials.inl"

template <class T> struct Range;
template <> struct Range<float> {
    static constexpr float exp_high = 89.0f, exp_low = -104.0f, tanh_one = 9.1f, exp_one = 104.0f;
};
template <> struct Range<double> {
    static constexpr double exp_high = 710.0, exp_low = -746.0, tanh_one = 19.1, exp_one = 746.0;
};

template <class T, int N> CHAINRULE_INLINE Vec<T> polynomial(const T (&coefficients)[N], const Vec<T>& x) {
    Vec<T> sum = broadcast(coefficients[0]);
    _Pragma("GCC unroll 12") for (int i = 1; i < N; ++i) sum = fma(sum, x, broadcast(coefficients[i]));
    return sum;
}

template <class T> struct Reduced {
    Vec<T> n, r;
};

// x = n ln2 + r. n * ln2_high is exact, so r is good to the last bit also without fused multiply-add.
template <class T> CHAINRULE_INLINE Reduced<T> reduce(const Vec<T>& x) {
    using P = Polynomials<T>;
    const Vec<T> n = nearest(x * broadcast(P::log2_e));
    Vec<T> r = fma(n, broadcast(-P::ln2_high), x);
    r = fma(n, broadcast(-P::ln2_low), r);
    return {n, r};
}

// exp(r) - 1 for |r| <= ln2 / 2
template <class T> CHAINRULE_INLINE Vec<T> expm1_small(const Vec<T>& r) {
    return fma(r * r, polynomial(Polynomials<T>::exp_tail, r), r);
}

template <class T> CHAINRULE_INLINE Vec<T> clamp_below(const Vec<T>& x, T high) {
    return select(broadcast(high) < x, broadcast(high), x);
}
template <class T> CHAINRULE_INLINE Vec<T> clamp_above(const Vec<T>& x, T low) {
    return select(x < broadcast(low), broadcast(low), x);
}

template <class T> CHAINRULE_INLINE Vec<T> exponential(Vec<T> x) {
    x = clamp_above(clamp_below(x, Range<T>::exp_high), Range<T>::exp_low);
    const Reduced<T> part = reduce(x);
    const Vec<T> half = nearest(part.n * broadcast(T(0.5)));
    const Vec<T> value = broadcast(T(1)) + expm1_small(part.r);
    return value * power_of_two(half) * power_of_two(part.n - half);
}

template <class T> CHAINRULE_INLINE Vec<T> hyperbolic_tangent(const Vec<T>& x) {
    const Vec<T> size = clamp_below(absolute(x), Range<T>::tanh_one);
    const Reduced<T> part = reduce(size + size);
    const Vec<T> scale = power_of_two(part.n);
    const Vec<T> q = fma(scale, expm1_small(part.r), scale - broadcast(T(1)));
    return with_sign(q / (q + broadcast(T(2))), x);
}

template <class T> CHAINRULE_INLINE Vec<T> sigmoid(const Vec<T>& x) {
    const Vec<T> e = exponential(Vec<T>{} - absolute(x));
    return select(x < Vec<T>{}, e, broadcast(T(1))) / (broadcast(T(1)) + e);
}

// For positive normal x, and NaN; log(0) is not asked for.
template <class T> CHAINRULE_INLINE Vec<T> logarithm(const Vec<T>& x) {
    using P = Polynomials<T>;
    using B = NativeBits<T>;
    constexpr int mantissa = Types<T>::mantissa_bits;
    constexpr typename Types<T>::Scalar one = typename Types<T>::Scalar(Types<T>::exponent_bias) << mantissa;
    constexpr typename Types<T>::Scalar low_bits = (typename Types<T>::Scalar(1) << mantissa) - 1;
    constexpr T shift = T(std::int64_t(1) << mantissa);
    Vec<T> m, n;
    for (int p = 0; p < parts; ++p) {
        const B bits = (B)x.part[p];
        m.part[p] = (Native<T>)((bits & low_bits) | one);
        // the exponent, read as a number: its bits beside those of 2^mantissa
        n.part[p] = (Native<T>)(((bits >> mantissa) & 0x7ff) | (B)(Native<T>{} + shift)) - (shift + T(Types<T>::exponent_bias));
    }
    const auto large = broadcast(T(1.41421356237309504880)) < m;
    m = select(large, m * broadcast(T(0.5)), m);
    n = select(large, n + broadcast(T(1)), n);
    const Vec<T> f = m - broadcast(T(1));
    const Vec<T> s = f / (f + broadcast(T(2)));
    const Vec<T> z = s * s;
    // 2 s = f - s f, and s f is small: the leading term stays exact
    const Vec<T> tail = fma(s, z * polynomial(P::atanh_tail, z), fma(n, broadcast(P::ln2_low), Vec<T>{} - s * f));
    return select(x == x, fma(n, broadcast(P::ln2_high), f) + tail, x);
}
