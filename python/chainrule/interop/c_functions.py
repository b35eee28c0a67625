"""The core's elementary functions and activations in C99, step by step as the kernels take them.

cpp/kernels/elementary.inl and activations.inl say why each step stands there; the same operations
in the same order give the same bits. The numbers are in c_constants.py.
"""

from __future__ import annotations

from typing import NamedTuple


class Function(NamedTuple):
    """A function's text, and the functions and constants that it calls."""

    text: str
    needs: tuple[str, ...] = ()


# each behind those that it calls
FUNCTIONS: dict[str, Function] = {
    "larger": Function(
        """\
/* a > b ? a : b, so b where one is NaN */
static real larger(real a, real b) { return a > b ? a : b; }
"""
    ),
    "smaller": Function(
        """\
/* a < b ? a : b, so b where one is NaN */
static real smaller(real a, real b) { return a < b ? a : b; }
"""
    ),
    "polynomial": Function(
        """\
/* highest power first */
static real polynomial(const real *coefficients, size_t count, real x) {
    real sum = coefficients[0];
    for (size_t i = 1; i < count; ++i) sum = FMA(sum, x, coefficients[i]);
    return sum;
}
#define POLYNOMIAL(c, x) polynomial(c, sizeof(c) / sizeof((c)[0]), x)
"""
    ),
    "nearest_whole": Function(
        """\
/* n, the whole number nearest to x * factor, and 2^(n + offset): adding a number whose last
   mantissa bit is 1 rounds; its low bits, made the exponent's bias, become the power */
typedef struct { real n, power; } whole;
static whole nearest_whole(real x, real factor, int offset) {
    const real shift = (real)3 * (real)((int64_t)1 << (MANTISSA_BITS - 1)) + (real)(EXPONENT_BIAS + offset);
    const real shifted = FMA(x, factor, shift);
    whole found;
    word bits;
    found.n = shifted - shift;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= MANTISSA_BITS;
    memcpy(&found.power, &bits, sizeof bits);
    return found;
}
"""  # noqa: E501
    ),
    "exp_minus_1_of_rest": Function(
        """\
/* exp(r) - 1 for |r| <= ln2 / 2 */
static real exp_minus_1_of_rest(real r) { return FMA(r * r, POLYNOMIAL(exp_tail, r), r); }
""",
        ("exp_tail", "polynomial"),
    ),
    "less_whole_ln2": Function(
        """\
static real less_whole_ln2(real x, real n) { return FMA(n, -ln2_low, FMA(n, -ln2_high, x)); }
""",
        ("ln2_low", "ln2_high"),
    ),
    "scaled_back": Function(
        """\
static real scaled_back(real x, real power) { return x * power * exp_offset_back; }
""",
        ("exp_offset_back",),
    ),
    "exponential": Function(
        """\
/* exp(x) for x <= 0 */
static real exponential(real not_positive) {
    const real x = larger(exp_low, not_positive);
    const whole w = nearest_whole(x, log2_e, EXP_OFFSET);
    return scaled_back((real)1 + exp_minus_1_of_rest(less_whole_ln2(x, w.n)), w.power);
}
""",
        (
            "larger",
            "nearest_whole",
            "exp_minus_1_of_rest",
            "less_whole_ln2",
            "scaled_back",
            "exp_low",
            "log2_e",
        ),
    ),
    "exponential_any": Function(
        """\
/* exp(x) for x of any sign */
static real exponential_any(real any) {
    const real x = larger(exp_low, smaller(exp_high, any));
    const whole w = nearest_whole(x, log2_e, x > 0 ? -EXP_OFFSET : EXP_OFFSET);
    const real back = x > 0 ? exp_offset_on : exp_offset_back;
    return ((real)1 + exp_minus_1_of_rest(less_whole_ln2(x, w.n))) * w.power * back;
}
""",
        (
            "larger",
            "smaller",
            "nearest_whole",
            "exp_minus_1_of_rest",
            "less_whole_ln2",
            "exp_low",
            "exp_high",
            "log2_e",
            "exp_offset_on",
            "exp_offset_back",
        ),
    ),
    "exponential_minus_1": Function(
        """\
/* exp(x) - 1 for x <= 0; keeps the sign of zero */
static real exponential_minus_1(real not_positive) {
    const real x = larger((real)-2 * tanh_one, not_positive);
    const whole w = nearest_whole(x, log2_e, 0);
    const real r = less_whole_ln2(x, w.n);
    return COPYSIGN(FMA(w.power, exp_minus_1_of_rest(r), w.power - (real)1), not_positive);
}
""",
        (
            "larger",
            "nearest_whole",
            "exp_minus_1_of_rest",
            "less_whole_ln2",
            "tanh_one",
            "log2_e",
        ),
    ),
    "logarithm_of_1_plus": Function(
        """\
/* log(1 + x) for 0 <= x <= 1 */
static real logarithm_of_1_plus(real x) {
    const int large = log1p_large < x;
    const real f = large ? (x - (real)1) * (real)0.5 : x;
    const real s = f / (f + (real)2);
    const real z = s * s;
    const real tail = FMA(s, z * POLYNOMIAL(atanh_tail, z), (large ? ln2_low : (real)0) - s * f);
    return ((large ? ln2_high : (real)0) + f) + tail;
}
""",
        ("polynomial", "log1p_large", "atanh_tail", "ln2_low", "ln2_high"),
    ),
    "normal_distribution": Function(
        """\
/* the integral of exp(-x^2 / 2) / sqrt(2 pi) up to x; x^2 in two parts, exact */
static real normal_distribution(real x) {
    const real size = smaller(normal_zero, FABS(x));
    const real high = size * size, low = FMA(size, size, (real)0 - high);
    const real y = larger(exp_low, high * (real)-0.5);
    const whole w = nearest_whole(y, log2_e, EXP_OFFSET);
    const real rest = FMA(w.n, -ln2_high, y) + FMA(w.n, -ln2_low, low * (real)-0.5);
    const real m = exp_minus_1_of_rest(rest);
    const real q = (size - normal_centre) / (size + normal_centre);
    const real factor = POLYNOMIAL(normal_scaled, q) / (size + normal_offset);
    const real tail = scaled_back(FMA(factor, m, factor), w.power);
    return x > 0 ? (real)1 - tail : tail;
}
""",
        (
            "larger",
            "smaller",
            "nearest_whole",
            "exp_minus_1_of_rest",
            "scaled_back",
            "polynomial",
            "exp_low",
            "log2_e",
            "ln2_high",
            "ln2_low",
            "normal_zero",
            "normal_centre",
            "normal_offset",
            "normal_scaled",
        ),
    ),
    "not_far_below": Function(
        "static real not_far_below(real x) { return larger((real)-1000, x); }\n", ("larger",)
    ),
    "relu": Function(
        "static real relu(real x) { return larger((real)0, x); }  /* NaN passes */\n", ("larger",)
    ),
    "sigmoid": Function(
        """\
static real sigmoid(real x) {
    const real e = exponential((real)0 - FABS(x));
    return (x < 0 ? e : (real)1) / ((real)1 + e);
}
""",
        ("exponential",),
    ),
    "hyperbolic_tangent": Function(
        """\
static real hyperbolic_tangent(real x) {
    const real size = smaller(tanh_one, FABS(x));
    const whole w = nearest_whole(size, (real)2 * log2_e, 1);
    const real r = FMA(w.n, -half_ln2, size);
    const real half = FMA(r * r, POLYNOMIAL(tanh_tail, r), r);
    const real q = FMA(w.power, half, FMA(w.power, (real)0.5, (real)-1));
    return COPYSIGN(q / (q + (real)2), x);
}
""",
        (
            "smaller",
            "nearest_whole",
            "polynomial",
            "tanh_one",
            "log2_e",
            "half_ln2",
            "tanh_tail",
        ),
    ),
    "leaky_relu": Function(
        "static real leaky_relu(real x, real slope) { return x <= 0 ? slope * x : x; }\n"
    ),
    "exponential_linear": Function(
        """\
static real exponential_linear(real x, real scale, real scaled_alpha) {
    const real below = scaled_alpha * exponential_minus_1(smaller((real)0, x));
    return x > 0 ? scale * x : below;
}
""",
        ("smaller", "exponential_minus_1"),
    ),
    "gelu": Function(
        "static real gelu(real x) { return not_far_below(x) * normal_distribution(x); }\n",
        ("not_far_below", "normal_distribution"),
    ),
    "gelu_tanh": Function(
        """\
static real gelu_tanh(real x) {
    return not_far_below(x) * sigmoid(gelu_twice_root * FMA(gelu_cubic * x, x * x, x));
}
""",
        ("not_far_below", "sigmoid", "gelu_twice_root", "gelu_cubic"),
    ),
    "silu": Function(
        "static real silu(real x) { return not_far_below(x) * sigmoid(x); }\n",
        ("not_far_below", "sigmoid"),
    ),
    "mish": Function(
        """\
static real mish(real x) {
    const int falls = x < 0;
    const real e = exponential((real)0 - FABS(x));
    const real numerator = FMA(e, falls ? e : (real)2, falls ? (real)2 * e : (real)1);
    const real denominator = numerator + (falls ? (real)2 : (real)2 * e * e);
    return not_far_below(x) * (numerator / denominator);
}
""",
        ("not_far_below", "exponential"),
    ),
    "softplus": Function(
        """\
static real softplus(real x) {
    return larger((real)0, x) + logarithm_of_1_plus(exponential((real)0 - FABS(x)));
}
""",
        ("larger", "exponential", "logarithm_of_1_plus"),
    ),
    "softmax": Function(
        """\
static void softmax(size_t n, real *x) {
    real largest = x[0], sum = 0;
    for (size_t j = 1; j < n; ++j) largest = x[j] <= largest ? largest : x[j];
    for (size_t j = 0; j < n; ++j) sum = sum + (x[j] = exponential(x[j] - largest));
    const real share = (real)1 / sum;
    for (size_t j = 0; j < n; ++j) x[j] = x[j] * share;
}
""",
        ("exponential",),
    ),
    "product": Function(
        """\
/* output = biases + inputs . weights, the inner index in its order; biases may be null */
static void product(size_t d, size_t m, const real *inputs, const real *weights, const real *biases, real *output) {
    for (size_t j = 0; j < m; ++j) output[j] = biases ? biases[j] : (real)0;
    for (size_t k = 0; k < d; ++k, weights += m)
        for (size_t j = 0; j < m; ++j) output[j] = FMA(inputs[k], weights[j], output[j]);
}
"""  # noqa: E501
    ),
    "cosine_of_turns": Function(
        """\
/* cos(2 pi x): whole turns come off exactly, at most one at the second time; then the sine of at
   most a quarter */
static real cosine_of_turns(real x) {
    const real shift = COPYSIGN((real)3 * (real)((int64_t)1 << (MANTISSA_BITS - 1)), x);
    real rest = FABS(x) < (real)((int64_t)2 << MANTISSA_BITS) ? x : x - x;
    real nearest;
    rest = rest - ((rest + shift) - shift);
    rest = rest - ((rest + shift) - shift);
    nearest = (real)0.25 - FABS(rest);
    return nearest * POLYNOMIAL(sine_of_turns, nearest * nearest);
}
""",
        ("sine_of_turns", "polynomial"),
    ),
    "periodic": Function(
        """\
/* of each of p columns x: cos(2 pi frequencies x + phases) . weights + biases, x; then q columns as
   they are */
static void periodic(size_t p, size_t k, size_t m, size_t q, const real *inputs,
                     const real *frequencies, const real *phases, const real *weights,
                     const real *biases, real *output) {
    for (; p > 0; --p, ++inputs, biases += m, output += m + 1) {
        for (size_t j = 0; j < m; ++j) output[j] = biases[j];
        for (size_t i = 0; i < k; ++i, ++frequencies, ++phases, weights += m) {
            const real wave = cosine_of_turns(FMA(*frequencies, *inputs, *phases * one_by_two_pi));
            for (size_t j = 0; j < m; ++j) output[j] = FMA(wave, weights[j], output[j]);
        }
        output[m] = *inputs;
    }
    for (size_t j = 0; j < q; ++j) output[j] = inputs[j];
}
""",
        ("cosine_of_turns", "one_by_two_pi"),
    ),
    "tables": Function(
        """\
/* q columns as they are, then the row of a table for each of c codes; NaN for what is none */
static void tables(size_t q, size_t c, size_t width, const real *inputs, const size_t *sizes,
                   const real *rows, real *output) {
    for (size_t j = 0; j < q; ++j) output[j] = inputs[j];
    for (inputs += q, output += q; c > 0; --c, ++sizes, ++inputs, output += width) {
        const int inside = *inputs >= 0 && *inputs < (real)*sizes;
        const size_t code = inside ? (size_t)*inputs : 0;
        const int known = inside && (real)code == *inputs;
        for (size_t j = 0; j < width; ++j) output[j] = known ? rows[code * width + j] : (real)NAN;
        rows += *sizes * width;
    }
}
"""
    ),
    "blended": Function(
        """\
/* (1 - share) x + share y */
static real blended(real share, real x, real y) { return FMA(share, y, ((real)1 - share) * x); }
"""
    ),
    "scale": Function(
        """\
static void scale(size_t n, const real *inputs, const real *factors, real *output) {
    for (size_t j = 0; j < n; ++j) output[j] = inputs[j] * factors[j];
}
"""
    ),
}


def in_order(names: list[str]) -> list[str]:
    """Return functions and constants that the named ones need, and these, each once."""
    found: list[str] = []

    def add(name: str) -> None:
        if name in found:
            return
        for needed in FUNCTIONS[name].needs if name in FUNCTIONS else ():
            add(needed)
        found.append(name)

    for name in names:
        add(name)
    return found
