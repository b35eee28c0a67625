// exp, log, tanh, sigmoid on Vec<T>, each within 4 ulp. NaN in gives NaN out.
//
// exp:     for x <= 0. x = n ln2 + r, |r| <= ln2 / 2; exp(r) = 1 + r + r^2 p(r); times 2^n in two steps (subnormal results)
// tanh:    q / (q + 2) with q = expm1(2 |x|); |x| = n ln2 / 2 + r, expm1(2 r) / 2 = r + r^2 p(r)
// sigmoid: e / (1 + e) for x < 0, 1 / (1 + e) else, e = exp(-|x|)
// log:     x = 2^n m, m in [sqrt(1/2), sqrt(2)); 2 atanh(s) with s = (m - 1) / (m + 1)
// Constants come from derive_polynomials.py.

#include "polynomials.inl"

// Below exp_low exp is 0; from tanh_one on tanh is 1.
template <class T> struct Range;
template <> struct Range<float> {
    static constexpr float exp_low = -104.0f, tanh_one = 9.1f;
    static constexpr int exp_offset = 64;
    static constexpr float exp_offset_back = 0x1p-64f;
};
template <> struct Range<double> {
    static constexpr double exp_low = -746.0, tanh_one = 19.1;
    static constexpr int exp_offset = 512;
    static constexpr double exp_offset_back = 0x1p-512;
};

template <class T, int N> CHAINRULE_INLINE Vec<T> polynomial(const T (&coefficients)[N], const Vec<T>& x) {
    Vec<T> sum = broadcast(coefficients[0]);
    _Pragma("GCC unroll 12") for (int i = 1; i < N; ++i) sum = fma(sum, x, broadcast(coefficients[i]));
    return sum;
}

// n, the whole number nearest to x * factor, and 2^(n + offset).
template <class T> struct Whole {
    Vec<T> n, power;
};

// Adding a constant whose last mantissa bit is 1 rounds; its low bits, made the exponent's bias, then become the power.
template <int offset, class T> CHAINRULE_INLINE Whole<T> nearest_whole(const Vec<T>& x, T factor) {
    constexpr int mantissa = Types<T>::mantissa_bits;
    constexpr T shift = T(3) * T(std::int64_t(1) << (mantissa - 1)) + T(Types<T>::exponent_bias + offset);
    const Vec<T> shifted = fma(x, broadcast(factor), broadcast(shift));
    return {shifted - broadcast(shift), shift_bits_left<mantissa>(shifted)};
}

template <class T> CHAINRULE_INLINE Vec<T> exponential(const Vec<T>& not_positive) {
    using P = Polynomials<T>;
    const Vec<T> x = larger(broadcast(Range<T>::exp_low), not_positive);
    const Whole<T> whole = nearest_whole<Range<T>::exp_offset>(x, P::log2_e);
    // n * ln2_high is exact, so r is good to the last bit also without fused multiply-add
    const Vec<T> r = fma(whole.n, broadcast(-P::ln2_low), fma(whole.n, broadcast(-P::ln2_high), x));
    const Vec<T> value = broadcast(T(1)) + fma(r * r, polynomial(P::exp_tail, r), r);
    return value * whole.power * broadcast(Range<T>::exp_offset_back);
}

template <class T> CHAINRULE_INLINE Vec<T> hyperbolic_tangent(const Vec<T>& x) {
    using P = Polynomials<T>;
    const Vec<T> size = smaller(broadcast(Range<T>::tanh_one), absolute(x));
    const Whole<T> whole = nearest_whole<1>(size, T(2) * P::log2_e);
    const Vec<T> r = fma(whole.n, broadcast(-P::half_ln2), size);  // off by n ulp at most, where tanh is 4 / 2^n from 1
    const Vec<T> half = fma(r * r, polynomial(P::tanh_tail, r), r);
    const Vec<T> q = fma(whole.power, half, fma(whole.power, broadcast(T(0.5)), broadcast(T(-1))));
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
