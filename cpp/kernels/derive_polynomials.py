"""Derives the constants of elementary.inl: python derive_polynomials.py > polynomials.inl

Each polynomial is the Chebyshev interpolant (near-minimax) of the function named beside it,
computed with 60 digits by mpmath and rounded to the type. The largest error of the interpolant is
printed with it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import mpmath as mp

mp.mp.dps = 60

HALF_LN2 = mp.log(2) / 2
ATANH_LIMIT = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
SMALL = mp.mpf(10) ** -12  # below it the first terms of the series are exact enough
COSH_LIMIT = mp.mpf("1.3")  # cosh - 1 < 1 there


class Precision(NamedTuple):
    """Terms of each polynomial for one type, and what fits its range."""

    name: str
    ln2_bits: int
    exp_terms: int
    log_terms: int
    cosh_terms: int
    tail_terms: int
    sine_terms: int
    erfc_centre: str
    erfc_zero: str  # erfc is 0 from here on
    normal_centre: str
    normal_zero: str  # Phi(-x) is 0 from here on


PRECISIONS = (
    Precision("float", 14, 5, 3, 4, 10, 5, "2.75", "10.2", "3.5", "14.5"),
    Precision("double", 40, 10, 8, 7, 22, 9, "4", "27.4", "5.75", "38.7"),
)
# These make the scaled tails nearly flat at 0, so that an error of q counts little.
ERFC_OFFSET = mp.mpf("0.75")
NORMAL_OFFSET = mp.mpf("1.25")


def exp_tail(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r) / r^2, continuous at 0."""
    if abs(r) < SMALL:
        return mp.mpf(1) / 2 + r / 6 + r * r / 24
    return (mp.expm1(r) - r) / r**2


def tanh_tail(r: mp.mpf) -> mp.mpf:
    """(exp(2 r) - 1 - 2 r) / (2 r^2), continuous at 0."""
    return 2 * exp_tail(2 * r)


def atanh_tail(z: mp.mpf) -> mp.mpf:
    """(2 atanh(s) - 2 s) / s^3 with z = s^2, continuous at 0."""
    if abs(z) < SMALL:
        return mp.mpf(2) / 3 + 2 * z / 5
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s**3


def cosh_tail(z: mp.mpf) -> mp.mpf:
    """(cosh(x) - 1 - x^2 / 2) / x^4 with z = x^2, continuous at 0."""
    if abs(z) < SMALL:
        return mp.mpf(1) / 24 + z / 720
    return (mp.cosh(mp.sqrt(z)) - 1 - z / 2) / z**2


def erfc_scaled(x: mp.mpf) -> mp.mpf:
    """(offset + x) exp(x^2) erfc(x): between its offset and 1 / sqrt(pi)."""
    return (ERFC_OFFSET + x) * mp.exp(x * x) * mp.erfc(x)


def normal_scaled(x: mp.mpf) -> mp.mpf:
    """(offset + x) exp(x^2 / 2) Phi(-x): between half its offset and 1 / sqrt(2 pi)."""
    return (NORMAL_OFFSET + x) * mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2)) / 2


def sine_of_turns(z: mp.mpf) -> mp.mpf:
    """sin(2 pi t) / t with z = t^2, continuous at 0."""
    if abs(z) < SMALL:
        return 2 * mp.pi - (2 * mp.pi) ** 3 * z / 6
    t = mp.sqrt(z)
    return mp.sin(2 * mp.pi * t) / t


def rounded(value: mp.mpf | float, name: str) -> float:
    if name == "float":
        (single,) = struct.unpack("f", struct.pack("f", float(value)))
        return single
    return float(value)


def literal(value: mp.mpf | float, name: str) -> str:
    return rounded(value, name).hex() + ("f" if name == "float" else "")


def literals(values: list[mp.mpf] | list[float], name: str) -> str:
    return ", ".join(literal(value, name) for value in values)


def exact_at_minus_1(highest_first: list[mp.mpf], value: mp.mpf, name: str) -> list[float]:
    """The coefficients, the last one changed so that Horner's rule at -1 rounds to `value`."""
    *others, _ = (rounded(c, name) for c in highest_first)
    total = others[0]
    for c in others[1:]:
        total = rounded(c - total, name)
    return [*others, rounded(value + total, name)]


def exact_at_quarter(highest_first: list[mp.mpf], name: str) -> list[float]:
    """The coefficients, the last one changed so that Horner's rule at z = 1/16 rounds to 4.

    Then cos(0) = 1. Products with 1/16 are exact, so it holds with fused multiply-add and without.
    """
    *others, _ = (rounded(c, name) for c in highest_first)
    total = others[0]
    for c in others[1:]:
        total = rounded(c + total / 16, name)
    last = rounded(4 - total / 16, name)
    if rounded(last + total / 16, name) < 4:  # a tie that went the wrong way
        last = rounded(last * (1 + 2.0 ** (-23 if name == "float" else -52)), name)
    return [*others, last]


def array(title: str, text: str, values, error: mp.mpf, name: str) -> list[str]:
    return [
        f"    // {text}; error {mp.nstr(error, 3)}",
        f"    static constexpr {name} {title}[] = {{{literals(values, name)}}};",
    ]


def fitted(title: str, text: str, function, interval, terms: int, name: str) -> list[str]:
    return array(title, text, *mp.chebyfit(function, interval, terms, error=True), name)


def number(title: str, value: mp.mpf, name: str) -> str:
    return f"    static constexpr {name} {title} = {literal(value, name)};"


def split_ln2(name: str, bits: int) -> tuple[mp.mpf, mp.mpf]:
    """ln 2 as high + low; high has `bits` significant bits, so that n * high is exact."""
    scale = mp.mpf(2) ** bits
    high = mp.floor(mp.log(2) * scale) / scale
    return high, mp.log(2) - high


def tail(title: str, text: str, function, offset: mp.mpf, p: Precision) -> list[str]:
    """A polynomial in q = (x - centre) / (x + centre) for 0 <= x <= zero, exact at x = 0."""
    centre = mp.mpf(getattr(p, f"{title}_centre"))
    zero = mp.mpf(getattr(p, f"{title}_zero"))
    interval = [-1, (zero - centre) / (zero + centre)]
    values, error = mp.chebyfit(
        lambda q: function(centre * (1 + q) / (1 - q)), interval, p.tail_terms, error=True
    )
    values = exact_at_minus_1(values, function(mp.mpf(0)), p.name)
    text = f"{text} over q = (x - centre) / (x + centre), 0 <= x <= zero"
    return [
        number(f"{title}_offset", offset, p.name),
        number(f"{title}_centre", centre, p.name),
        number(f"{title}_zero", zero, p.name),
        *array(f"{title}_scaled", text, values, error, p.name),
    ]


def sine(name: str, terms: int) -> list[str]:
    values, error = mp.chebyfit(sine_of_turns, [0, mp.mpf(1) / 16], terms, error=True)
    text = "sin(2 pi t) / t over z = t^2, t <= 1 / 4"
    return array("sine_of_turns", text, exact_at_quarter(values, name), error, name)


def constants(p: Precision) -> list[str]:
    name, half, quarter = p.name, HALF_LN2, HALF_LN2 / 2
    high, low = split_ln2(name, p.ln2_bits)
    exp_text = "(exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2"
    tanh_text = "(exp(2 r) - 1 - 2 r) / (2 r^2) for |r| <= ln(2) / 4"
    atanh_text = "(2 atanh(s) - 2 s) / s^3 over z = s^2, s <= 3 - 2 sqrt(2)"
    cosh_text = "(cosh(x) - 1 - x^2 / 2) / x^4 over z = x^2, x <= cosh_limit"
    return [
        f"template <> struct Polynomials<{name}> {{",
        number("log2_e", 1 / mp.log(2), name),
        number("half_ln2", HALF_LN2, name),
        number("ln2_high", high, name),
        number("ln2_low", low, name),
        *fitted("exp_tail", exp_text, exp_tail, [-half, half], p.exp_terms, name),
        *fitted("tanh_tail", tanh_text, tanh_tail, [-quarter, quarter], p.exp_terms, name),
        *fitted("atanh_tail", atanh_text, atanh_tail, [0, ATANH_LIMIT**2], p.log_terms, name),
        number("cosh_limit", COSH_LIMIT, name),
        *fitted("cosh_tail", cosh_text, cosh_tail, [0, COSH_LIMIT**2], p.cosh_terms, name),
        *tail("erfc", "(offset + x) exp(x^2) erfc(x)", erfc_scaled, ERFC_OFFSET, p),
        *tail("normal", "(offset + x) exp(x^2 / 2) Phi(-x)", normal_scaled, NORMAL_OFFSET, p),
        number("normal_peak", 1 / mp.sqrt(2 * mp.pi), name),
        *sine(name, p.sine_terms),
        "};",
    ]


if __name__ == "__main__":
    print("// Written by derive_polynomials.py; highest power first.")
    print("template <class T> struct Polynomials;")
    for precision in PRECISIONS:
        print("\n".join(constants(precision)))
