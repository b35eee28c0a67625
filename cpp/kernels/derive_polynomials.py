"""Derives the constants of elementary.inl: python derive_polynomials.py > polynomials.inl

Each polynomial is the Chebyshev interpolant (near-minimax) of the function named beside it,
computed with 60 digits by mpmath and rounded to the type. The largest error of the interpolant is
printed with it.
"""

from __future__ import annotations

import struct

import mpmath as mp

mp.mp.dps = 60

HALF_LN2 = mp.log(2) / 2
ATANH_LIMIT = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)


def exp_tail(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r) / r^2, continuous at 0."""
    if abs(r) < mp.mpf(10) ** -12:
        return mp.mpf(1) / 2 + r / 6 + r * r / 24
    return (mp.expm1(r) - r) / r**2


def tanh_tail(r: mp.mpf) -> mp.mpf:
    """(exp(2 r) - 1 - 2 r) / (2 r^2), continuous at 0."""
    return 2 * exp_tail(2 * r)


def atanh_tail(z: mp.mpf) -> mp.mpf:
    """(2 atanh(s) - 2 s) / s^3 with z = s^2, continuous at 0."""
    if abs(z) < mp.mpf(10) ** -12:
        return mp.mpf(2) / 3 + 2 * z / 5
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s**3


def literal(value: mp.mpf, name: str) -> str:
    if name == "float":
        (rounded,) = struct.unpack("f", struct.pack("f", float(value)))
        return f"{rounded.hex()}f"
    return float(value).hex()


def coefficients(function, interval, terms: int, name: str) -> tuple[str, mp.mpf]:
    highest_first, error = mp.chebyfit(function, interval, terms, error=True)
    return ", ".join(literal(c, name) for c in highest_first), error


def split_ln2(name: str, bits: int) -> tuple[str, str]:
    """ln 2 as high + low; high has `bits` significant bits, so that n * high is exact."""
    scale = mp.mpf(2) ** bits
    high = mp.floor(mp.log(2) * scale) / scale
    return literal(high, name), literal(mp.log(2) - high, name)


def constants(name: str, exp_terms: int, log_terms: int, ln2_bits: int) -> list[str]:
    exp_values, exp_error = coefficients(exp_tail, [-HALF_LN2, HALF_LN2], exp_terms, name)
    tanh_values, tanh_error = coefficients(
        tanh_tail, [-HALF_LN2 / 2, HALF_LN2 / 2], exp_terms, name
    )
    log_values, log_error = coefficients(atanh_tail, [0, ATANH_LIMIT**2], log_terms, name)
    high, low = split_ln2(name, ln2_bits)
    return [
        f"template <> struct Polynomials<{name}> {{",
        f"    static constexpr {name} log2_e = {literal(1 / mp.log(2), name)};",
        f"    static constexpr {name} half_ln2 = {literal(HALF_LN2, name)};",
        f"    static constexpr {name} ln2_high = {high};",
        f"    static constexpr {name} ln2_low = {low};",
        f"    // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; error {mp.nstr(exp_error, 3)}",
        f"    static constexpr {name} exp_tail[] = {{{exp_values}}};",
        "    // (exp(2 r) - 1 - 2 r) / (2 r^2) for |r| <= ln(2) / 4; "
        f"error {mp.nstr(tanh_error, 3)}",
        f"    static constexpr {name} tanh_tail[] = {{{tanh_values}}};",
        "    // (2 atanh(s) - 2 s) / s^3 over z = s^2, s <= 3 - 2 sqrt(2); "
        f"error {mp.nstr(log_error, 3)}",
        f"    static constexpr {name} atanh_tail[] = {{{log_values}}};",
        "};",
    ]


if __name__ == "__main__":
    print("// Written by derive_polynomials.py; highest power first.")
    print("template <class T> struct Polynomials;")
    print("\n".join(constants("float", 5, 3, 14)))
    print("\n".join(constants("double", 10, 8, 40)))
