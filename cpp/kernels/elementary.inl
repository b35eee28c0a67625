// Elementary functions on Vec<T>, each within 4 ulp with or without fused multiply-add (the slope of tanh(softplus): 5 ulp).
// NaN in gives NaN out.
//
// exp:      x = n ln2 + r, |r| <= ln2 / 2; exp(r) = 1 + r + r^2 p(r); times 2^n in two steps (subnormal results)
// expm1:    for x <= 0: 2^n (r + r^2 p(r)) + (2^n - 1)
// tanh:     q / (q + 2) with q = expm1(2 |x|); |x| = n ln2 / 2 + r, expm1(2 r) / 2 = r + r^2 p(r)
// sigmoid:  e / (1 + e) for x < 0, 1 / (1 + e) else, e = exp(-|x|)
// log:      x = 2^n m, m in [sqrt(1/2), sqrt(2)); 2 atanh(s) with s = (m - 1) / (m + 1)
// log1p:    for 0 <= x <= 1: the same with m = 1 + x, or (1 + x) / 2
// softplus: max(x, 0) + log1p(e)
// tanh(softplus): (1 + 2 e) / (1 + 2 e + 2 e^2) for x >= 0, e (e + 2) / (2 + 2 e + e^2) else
// log cosh: log1p(cosh(x) - 1) with cosh(x) - 1 = x^2 / 2 + x^4 p(x^2) near 0, |x| - ln2 + log1p(exp(-2 |x|)) beyond
// erfc:     exp(-x^2) p(q) / (offset + x) with q = (x - centre) / (x + centre), x^2 exact in two parts; 2 - erfc(-x) for x < 0
// Phi:      the same with exp(-x^2 / 2), so that no x / sqrt(2) is rounded
// cos, sin of turns: cos(2 pi x), sin(2 pi x) without the whole turns in x, which are exact; both are sin(2 pi t) = t p(t^2),
//           |t| <= 1/4, where t is exact near the zeros of either
// Constants come from derive_polynomials.py.

#include "polynomials.inl"

// Below exp_low exp is 0, above exp_high infinite; from tanh_one on tanh is 1.
template <class T> struct Limits;
template <> struct Limits<float> {
    static constexpr float exp_low = -104.0f, exp_high = 89.0f, tanh_one = 9.1f;
    static constexpr int exp_offset = 64;
    static constexpr float exp_offset_back = 0x1p-64f, exp_offset_on = 0x1p64f;
};
template <> struct Limits<double> {
    static constexpr double exp_low = -746.0, exp_high = 710.0, tanh_one = 19.1;
    static constexpr int exp_offset = 512;
    static constexpr double exp_offset_back = 0x1p-512, exp_offset_on = 0x1p512;
};

template <class T, int N> CHAINRULE_INLINE Vec<T> polynomial(const T (&coefficients)[N], const Vec<T>& x) {
    Vec<T> sum = broadcast(coefficients[0]);
    _Pragma("GCC unroll 24") for (int i = 1; i < N; ++i) sum = fma(sum, x, broadcast(coefficients[i]));
    return sum;
}

// n, the whole number nearest to x * factor, and 2^(n + offset).
template <class T> struct Whole {
    Vec<T> n, power;
};

// Adding a constant whose last mantissa bit is 1 rounds; its low bits, made the exponent's bias, then become the power.
template <class T> constexpr T rounding_shift(int offset) {
    return T(3) * T(std::int64_t(1) << (Types<T>::mantissa_bits - 1)) + T(Types<T>::exponent_bias + offset);
}
template <class T> CHAINRULE_INLINE Whole<T> nearest_whole(const Vec<T>& x, T factor, const Vec<T>& shift) {
    const Vec<T> shifted = fma(x, broadcast(factor), shift);
    return {shifted - shift, shift_bits_left<Types<T>::mantissa_bits>(shifted)};
}
template <int offset, class T> CHAINRULE_INLINE Whole<T> nearest_whole(const Vec<T>& x, T factor) {
    return nearest_whole(x, factor, broadcast(rounding_shift<T>(offset)));
}

// x - n ln2. n * ln2_high is exact, so r is good to the last bit also without fused multiply-add.
template <class T> CHAINRULE_INLINE Vec<T> less_whole_ln2(const Vec<T>& x, const Vec<T>& n) {
    using P = Polynomials<T>;
    return fma(n, broadcast(-P::ln2_low), fma(n, broadcast(-P::ln2_high), x));
}

// exp(r) - 1 for |r| <= ln2 / 2.
template <class T> CHAINRULE_INLINE Vec<T> exp_minus_1_of_rest(const Vec<T>& r) {
    return fma(r * r, polynomial(Polynomials<T>::exp_tail, r), r);
}

// exp(x) before its last rounding: (1 + m) * power / 2^exp_offset. factor * exp(x) is one rounding from factor and m.
template <class T> struct ExponentialInParts {
    Vec<T> m, power;
    CHAINRULE_INLINE Vec<T> scaled(const Vec<T>& x) const { return x * power * broadcast(Limits<T>::exp_offset_back); }
    CHAINRULE_INLINE Vec<T> value() const { return scaled(broadcast(T(1)) + m); }
    CHAINRULE_INLINE Vec<T> times(const Vec<T>& factor) const { return scaled(fma(factor, m, factor)); }
};

template <class T> CHAINRULE_INLINE ExponentialInParts<T> exponential_in_parts(const Vec<T>& not_positive) {
    const Vec<T> x = larger(broadcast(Limits<T>::exp_low), not_positive);
    const Whole<T> whole = nearest_whole<Limits<T>::exp_offset>(x, Polynomials<T>::log2_e);
    return {exp_minus_1_of_rest(less_whole_ln2(x, whole.n)), whole.power};
}
template <class T> CHAINRULE_LONG Vec<T> exponential(const Vec<T>& not_positive) { return exponential_in_parts(not_positive).value(); }

// For x of any sign: where x <= 0 the bits of exponential.
template <class T> CHAINRULE_LONG Vec<T> exponential_any(const Vec<T>& any) {
    using R = Limits<T>;
    const Vec<T> x = larger(broadcast(R::exp_low), smaller(broadcast(R::exp_high), any));
    const auto grows = Vec<T>{} < x;
    const Vec<T> shift = select(grows, broadcast(rounding_shift<T>(-R::exp_offset)), broadcast(rounding_shift<T>(R::exp_offset)));
    const Whole<T> whole = nearest_whole(x, Polynomials<T>::log2_e, shift);
    const Vec<T> back = select(grows, broadcast(R::exp_offset_on), broadcast(R::exp_offset_back));
    return (broadcast(T(1)) + exp_minus_1_of_rest(less_whole_ln2(x, whole.n))) * whole.power * back;
}

// For x <= 0. Keeps the sign of zero.
template <class T> CHAINRULE_LONG Vec<T> exponential_minus_1(const Vec<T>& not_positive) {
    const Vec<T> x = larger(broadcast(T(-2) * Limits<T>::tanh_one), not_positive);
    const Whole<T> whole = nearest_whole<0>(x, Polynomials<T>::log2_e);
    const Vec<T> r = less_whole_ln2(x, whole.n);
    return with_sign(fma(whole.power, exp_minus_1_of_rest(r), whole.power - broadcast(T(1))), not_positive);
}

template <class T> CHAINRULE_LONG Vec<T> hyperbolic_tangent(const Vec<T>& x) {
    using P = Polynomials<T>;
    const Vec<T> size = smaller(broadcast(Limits<T>::tanh_one), absolute(x));
    const Whole<T> whole = nearest_whole<1>(size, T(2) * P::log2_e);
    const Vec<T> r = fma(whole.n, broadcast(-P::half_ln2), size);  // off by n ulp at most, where tanh is 4 / 2^n from 1
    const Vec<T> half = fma(r * r, polynomial(P::tanh_tail, r), r);
    const Vec<T> q = fma(whole.power, half, fma(whole.power, broadcast(T(0.5)), broadcast(T(-1))));
    return with_sign(q / (q + broadcast(T(2))), x);
}

template <class T> CHAINRULE_LONG Vec<T> sigmoid(const Vec<T>& x) {
    const Vec<T> e = exponential(Vec<T>{} - absolute(x));
    return select(x < Vec<T>{}, e, broadcast(T(1))) / (broadcast(T(1)) + e);
}

// For positive normal x, and NaN; log(0) is not asked for.
template <class T> CHAINRULE_LONG Vec<T> logarithm(const Vec<T>& x) {
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

// log(1 + x) for 0 <= x <= 1.
template <class T> CHAINRULE_LONG Vec<T> logarithm_of_1_plus(const Vec<T>& x) {
    using P = Polynomials<T>;
    const auto large = broadcast(T(0.41421356237309504880)) < x;
    const Vec<T> f = select(large, (x - broadcast(T(1))) * broadcast(T(0.5)), x);
    const Vec<T> s = f / (f + broadcast(T(2)));
    const Vec<T> z = s * s;
    const Vec<T> tail = fma(s, z * polynomial(P::atanh_tail, z), select(large, broadcast(P::ln2_low), Vec<T>{}) - s * f);
    return (select(large, broadcast(P::ln2_high), Vec<T>{}) + f) + tail;
}

template <class T> CHAINRULE_INLINE Vec<T> softplus(const Vec<T>& x) {
    return larger(Vec<T>{}, x) + logarithm_of_1_plus(exponential(Vec<T>{} - absolute(x)));
}

// value = tanh(softplus(x)) and its slope d value / dx = (1 - value^2) sigmoid(x). A part that is not used costs nothing.
template <class T> struct TanhOfSoftplus {
    Vec<T> value, slope;
};

// slope = 4 e (1 + e) / d^2 for x < 0, 4 e^2 (1 + e) / d^2 else, with d the denominator of value; `square` is d^2 / 4.
// e or e^2 joins last and from its parts, (1 + m)^2 = 1 + (2 m + m^2), which spares roundings.
template <class T> CHAINRULE_LONG TanhOfSoftplus<T> hyperbolic_tangent_of_softplus(const Vec<T>& x) {
    const Vec<T> quarter = broadcast(T(0.25)), one = broadcast(T(1)), two = broadcast(T(2));
    const auto falls = x < Vec<T>{};
    const ExponentialInParts<T> exp = exponential_in_parts(Vec<T>{} - absolute(x));
    const Vec<T> e = exp.value();
    const Vec<T> numerator = fma(e, select(falls, e, two), select(falls, two * e, one));
    const Vec<T> denominator = numerator + select(falls, two, two * e * e);
    Vec<T> square = fma(e, select(falls, quarter, one), select(falls, one, two));
    square = fma(e, fma(e, square, two), select(falls, two, one));
    square = fma(e, square, select(falls, one, quarter));
    const Vec<T> factor = (one + e) / square;
    const Vec<T> m = select(falls, exp.m, fma(exp.m, exp.m, exp.m + exp.m));
    const Vec<T> slope = exp.scaled(fma(factor, m, factor));
    return {numerator / denominator, select(falls, slope, exp.scaled(slope))};
}

template <class T> CHAINRULE_LONG Vec<T> logarithm_of_cosh(const Vec<T>& x) {
    using P = Polynomials<T>;
    const Vec<T> size = absolute(x);
    const auto near = size < broadcast(P::cosh_limit);
    const Vec<T> z = size * size;
    const Vec<T> cosh_minus_1 = fma(z * z, polynomial(P::cosh_tail, z), z * broadcast(T(0.5)));
    const Vec<T> log1p = logarithm_of_1_plus(select(near, cosh_minus_1, exponential(size * broadcast(T(-2)))));
    const Vec<T> far = (size - broadcast(P::ln2_high)) + (log1p - broadcast(P::ln2_low));
    return select(near, log1p, far);
}

// A number as high + low, |low| at most half an ulp of high.
template <class T> struct Twofold {
    Vec<T> high, low;
};

// The upper half of x's bits; what is left has no more bits than that.
template <class T> CHAINRULE_INLINE Vec<T> upper_half(const Vec<T>& x) {
    constexpr typename Types<T>::Scalar mask = ~((typename Types<T>::Scalar(1) << (Types<T>::mantissa_bits / 2 + 1)) - 1);
    Vec<T> y;
    EACH_PART y.part[p] = (Native<T>)((NativeBits<T>)x.part[p] & mask);
    return y;
}

// x^2, exact: without fused multiply-add from the products of x's halves, which fit (Dekker 1971).
template <class T> CHAINRULE_INLINE Twofold<T> exact_square(const Vec<T>& x) {
    const Vec<T> high = x * x;
    if constexpr (has_fma) return {high, fma(x, x, Vec<T>{} - high)};
    const Vec<T> a = upper_half(x), b = x - a;
    return {high, fma(b, b, fma(a + a, b, a * a - high))};
}

// exp(-factor x^2) for x >= 0 and a power of two as factor.
template <class T> CHAINRULE_INLINE ExponentialInParts<T> exponential_of_square(const Vec<T>& size, T factor) {
    using P = Polynomials<T>;
    const Twofold<T> square = exact_square(size);
    const Vec<T> x = larger(broadcast(Limits<T>::exp_low), square.high * broadcast(-factor));
    const Whole<T> whole = nearest_whole<Limits<T>::exp_offset>(x, P::log2_e);
    const Vec<T> low = fma(whole.n, broadcast(-P::ln2_low), square.low * broadcast(-factor));
    return {exp_minus_1_of_rest(fma(whole.n, broadcast(-P::ln2_high), x) + low), whole.power};
}

// p(q) / (offset + x) with q = (x - centre) / (x + centre), x >= 0.
template <class T, int N> CHAINRULE_INLINE Vec<T> scaled_tail(const T (&scaled)[N], T offset, T centre, const Vec<T>& x) {
    const Vec<T> q = (x - broadcast(centre)) / (x + broadcast(centre));
    return polynomial(scaled, q) / (x + broadcast(offset));
}

template <class T> CHAINRULE_LONG Vec<T> complementary_error_function(const Vec<T>& x) {
    using P = Polynomials<T>;
    const Vec<T> size = smaller(broadcast(P::erfc_zero), absolute(x));
    const Vec<T> tail = exponential_of_square(size, T(1)).times(scaled_tail(P::erfc_scaled, P::erfc_offset, P::erfc_centre, size));
    return select(x < Vec<T>{}, broadcast(T(2)) - tail, tail);
}

// density = exp(-x^2 / 2) / sqrt(2 pi); distribution = Phi(x), its integral from -infinity. A part that is not used costs nothing.
template <class T> struct Normal {
    Vec<T> density, distribution;
};

template <class T> CHAINRULE_LONG Normal<T> normal(const Vec<T>& x) {
    using P = Polynomials<T>;
    const Vec<T> size = smaller(broadcast(P::normal_zero), absolute(x));
    const ExponentialInParts<T> e = exponential_of_square(size, T(0.5));
    const Vec<T> tail = e.times(scaled_tail(P::normal_scaled, P::normal_offset, P::normal_centre, size));
    return {e.times(broadcast(P::normal_peak)), select(Vec<T>{} < x, broadcast(T(1)) - tail, tail)};
}
// x without its whole turns: |rest| <= 1/2, exact; NaN of an infinite x.
template <class T> CHAINRULE_INLINE Vec<T> rest_of_turns(const Vec<T>& x) {
    constexpr int mantissa = Types<T>::mantissa_bits;
    const Vec<T> shift = with_sign(broadcast(T(3) * T(std::int64_t(1) << (mantissa - 1))), x);  // adding it rounds to whole numbers
    const auto may_have_a_rest = absolute(x) < broadcast(T(std::int64_t(2) << mantissa));  // beyond, all numbers are even
    Vec<T> rest = select(may_have_a_rest, x, x - x);
    rest = rest - ((rest + shift) - shift);  // at most 1: beyond 2^(mantissa - 1) the shift rounds to even numbers
    return rest - ((rest + shift) - shift);
}

// sin(2 pi t) for |t| <= 1/4.
template <class T> CHAINRULE_INLINE Vec<T> sine_of_quarter(const Vec<T>& t) { return t * polynomial(Polynomials<T>::sine_of_turns, t * t); }

// cosine = cos(2 pi x), sine = sin(2 pi x), for any x. A part that is not used costs nothing.
template <class T> struct Turned {
    Vec<T> cosine, sine;
};

template <class T> CHAINRULE_LONG Turned<T> turned(const Vec<T>& x) {
    const Vec<T> quarter = broadcast(T(0.25)), rest = rest_of_turns(x), size = absolute(rest);
    const Vec<T> nearest = select(size <= quarter, size, broadcast(T(0.5)) - size);
    return {sine_of_quarter(quarter - size), sine_of_quarter(with_sign(nearest, rest))};
}
template <class T> CHAINRULE_INLINE Vec<T> cosine_of_turns(const Vec<T>& x) { return turned(x).cosine; }
template <class T> CHAINRULE_INLINE Vec<T> sine_of_turns(const Vec<T>& x) { return turned(x).sine; }

template <class T> CHAINRULE_INLINE Vec<T> normal_density(const Vec<T>& x) { return normal(x).density; }
template <class T> CHAINRULE_INLINE Vec<T> normal_distribution(const Vec<T>& x) { return normal(x).distribution; }
