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
    erfc_terms: int
    erfc_centre: str
    erfc_zero: str  # erfc is 0 from here on
    normal_terms: int
    normal_centre: str
    normal_zero: str


PRECISIONS = (
    Precision("float", 14, 5, 3, 4, 10, "2.5", "10.2", 10, "2.75", "14.5"),
    Precision("double", 40, 10, 8, 7, 22, "4", "27.4", 22, "5.75", "38.7"),
)


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
    """(1 + x) exp(x^2) erfc(x): between 1 and 1 / sqrt(pi)."""
    return (1 + x) * mp.exp(x * x) * mp.erfc(x)


def normal_scaled(x: mp.mpf) -> mp.mpf:
    """(1 + x) exp(x^2 / 2) Phi(-x): between 1/2 and 1 / sqrt(2 pi)."""
    return (1 + x) * mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2)) / 2


def literal(value: mp.mpf, name: str) -> str:
    if name == "float":
        (rounded,) = struct.unpack("f", struct.pack("f", float(value)))
        return f"{rounded.hex()}f"
    return float(value).hex()


def coefficients(function, interval, terms: int, name: str) -> tuple[str, mp.mpf]:
    highest_first, error = mp.chebyfit(function, interval, terms, error=True)
    return ", ".join(literal(c, name) for c in highest_first), error


def array(title: str, comment: str, function, interval, terms: int, name: str) -> list[str]:
    values, error = coefficients(function, interval, terms, name)
    return [
        f"    // {comment}; error {mp.nstr(error, 3)}",
        f"    static constexpr {name} {title}[] = {{{values}}};",
    ]


def number(title: str, value: mp.mpf, name: str) -> str:
    return f"    static constexpr {name} {title} = {literal(value, name)};"


def split_ln2(name: str, bits: int) -> tuple[mp.mpf, mp.mpf]:
    """ln 2 as high + low; high has `bits` significant bits, so that n * high is exact."""
    scale = mp.mpf(2) ** bits
    high = mp.floor(mp.log(2) * scale) / scale
    return high, mp.log(2) - high


def mapped(title: str, comment: str, function, p: Precision) -> list[str]:
    """A polynomial in q = (x - centre) / (x + centre) for 0 <= x <= zero."""
    terms = getattr(p, f"{title}_terms")
    centre = mp.mpf(getattr(p, f"{title}_centre"))
    zero = mp.mpf(getattr(p, f"{title}_zero"))
    interval = [-1, (zero - centre) / (zero + centre)]
    fit = array(
        f"{title}_scaled",
        f"{comment} over q = (x - {title}_centre) / (x + {title}_centre), 0 <= x <= {title}_zero",
        lambda q: function(centre * (1 + q) / (1 - q)),
        interval,
        terms,
        p.name,
    )
    return [
        number(f"{title}_centre", centre, p.name),
        number(f"{title}_zero", zero, p.name),
        *fit,
    ]


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
        *array("exp_tail", exp_text, exp_tail, [-half, half], p.exp_terms, name),
        *array("tanh_tail", tanh_text, tanh_tail, [-quarter, quarter], p.exp_terms, name),
        *array("atanh_tail", atanh_text, atanh_tail, [0, ATANH_LIMIT**2], p.log_terms, name),
        number("cosh_limit", COSH_LIMIT, name),
        *array("cosh_tail", cosh_text, cosh_tail, [0, COSH_LIMIT**2], p.cosh_terms, name),
        *mapped("erfc", "(1 + x) exp(x^2) erfc(x)", erfc_scaled, p),
        *mapped("normal", "(1 + x) exp(x^2 / 2) Phi(-x)", normal_scaled, p),
        number("normal_peak", 1 / mp.sqrt(2 * mp.pi), name),
        "};",
    ]


if __name__ == "__main__":
    print("// Written by derive_polynomials.py; highest power first.")
    print("template <class T> struct Polynomials;")
    for precision in PRECISIONS:
        print("\n".join(constants(precision)))
