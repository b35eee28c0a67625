"""The numbers of the core's elementary functions, for exporters: those of the kernels.

cpp/kernels/polynomials.inl has the polynomials, highest power first, elementary.inl and
activations.inl the others; a test compares them.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array

SELU = (1.0507009873554804934193349852946, 1.6732632423543772848170429916717)  # scale, alpha

_EXP_TAIL_32 = "0x1.6d10fcp-10 0x1.120b62p-7 0x1.55551ap-5 0x1.5554dep-3 0x1p-1"
_EXP_TAIL_64 = (
    "0x1.af389ecfc4b9cp-26 0x1.28917c89a43a7p-22 0x1.71de0db2f6b19p-19 0x1.a019b9149a41cp-16 "
    "0x1.a01a01a7c2efep-13 0x1.6c16c17889ef1p-10 0x1.11111111109b5p-7 0x1.5555555553d68p-5 "
    "0x1.5555555555556p-3 0x1.0000000000001p-1"
)
_TANH_TAIL_32 = "0x1.6d10fcp-5 0x1.120b62p-3 0x1.55551ap-2 0x1.5554dep-1 0x1p+0"
_TANH_TAIL_64 = (
    "0x1.af389ecfc4b9cp-16 0x1.28917c89a43a7p-13 0x1.71de0db2f6b19p-11 0x1.a019b9149a41cp-9 "
    "0x1.a01a01a7c2efep-7 0x1.6c16c17889ef1p-5 0x1.11111111109b5p-3 0x1.5555555553d68p-2 "
    "0x1.5555555555556p-1 0x1.0000000000001p+0"
)
_ATANH_TAIL_32 = "0x1.2ee61p-2 0x1.997c3p-2 0x1.55555cp-1"
_ATANH_TAIL_64 = (
    "0x1.0c039c49989c6p-3 0x1.0fbe95d716020p-3 0x1.3b1c355a8f7a2p-3 0x1.745cf9048dd95p-3 "
    "0x1.c71c720159177p-3 0x1.2492492476cccp-2 0x1.9999999999a38p-2 0x1.5555555555555p-1"
)
_NORMAL_SCALED_32 = (
    "0x1.3756cap-13 0x1.1d1cap-13 -0x1.54aa5ep-10 -0x1.f097f4p-15 0x1.471cd4p-7 -0x1.a1b3a8p-6 "
    "0x1.72e97p-6 0x1.08333ep-5 -0x1.27ee52p-3 0x1.02a1a4p-1"
)
_NORMAL_SCALED_64 = (
    "-0x1.eb5681e93437cp-29 -0x1.412d91a018ef8p-27 0x1.ed2f598d7d7c6p-26 0x1.326435b41a408p-24 "
    "-0x1.098567f51b907p-22 -0x1.17b3b653039efp-22 0x1.245e31a21a5b6p-19 -0x1.c2b9effb0f552p-20 "
    "-0x1.db2bd77f8167ep-17 0x1.9a70bc98ef5a3p-15 -0x1.19d1aec324d74p-16 -0x1.a5b4cac0d4da4p-12 "
    "0x1.e54153a671ad1p-10 -0x1.4bd2fc7c49392p-8 0x1.4a0fd57d6fe5fp-7 -0x1.eca145dd4d777p-7 "
    "0x1.fa771508435a0p-7 -0x1.46adfc9a15126p-8 -0x1.647049daf2314p-6 0x1.0b51b9415d781p-4 "
    "-0x1.e5e2c051d6049p-4 0x1.e379e10e41818p-2"
)
_SINE_OF_TURNS_32 = "0x1.3e142p+5 -0x1.32531ep+6 0x1.4668fp+6 -0x1.4abbc4p+5 0x1.921fb6p+2"
_SINE_OF_TURNS_64 = (
    "0x1.9d462020fcc78p-4 -0x1.6f7acdb8f6580p-1 0x1.e8f3675ee37ddp+1 -0x1.e3074dfaf87afp+3 "
    "0x1.5078348551854p+5 -0x1.32d2cce627c86p+6 0x1.466bc6775aa7dp+6 -0x1.4abbce625be52p+5 "
    "0x1.921fb54442d18p+2"
)

# name -> the numbers in float32 and in float64; one number is a scalar, more are an array
CONSTANTS: dict[str, tuple[str, str]] = {
    "log2_e": ("0x1.715476p+0", "0x1.71547652b82fep+0"),
    "half_ln2": ("0x1.62e43p-2", "0x1.62e42fefa39efp-2"),
    "ln2_high": ("0x1.62ep-1", "0x1.62e42fefa2000p-1"),
    "ln2_low": ("0x1.0bfbe8p-15", "0x1.9ef35793c7673p-41"),
    "exp_low": ("-0x1.ap+6", "-0x1.75p+9"),
    "exp_high": ("0x1.64p+6", "0x1.63p+9"),
    "tanh_one": (float(np.float32(9.1)).hex(), (19.1).hex()),
    "exp_offset_back": ("0x1p-64", "0x1p-512"),
    "exp_offset_on": ("0x1p+64", "0x1p+512"),
    "exp_tail": (_EXP_TAIL_32, _EXP_TAIL_64),
    "tanh_tail": (_TANH_TAIL_32, _TANH_TAIL_64),
    "atanh_tail": (_ATANH_TAIL_32, _ATANH_TAIL_64),
    "log1p_large": (
        float(np.float32(0.41421356237309504880)).hex(),
        (0.41421356237309504880).hex(),
    ),
    "normal_offset": ("0x1.4p+0", "0x1.4p+0"),
    "normal_centre": ("0x1.cp+1", "0x1.7p+2"),
    "normal_zero": ("0x1.dp+3", "0x1.359999999999ap+5"),
    "normal_scaled": (_NORMAL_SCALED_32, _NORMAL_SCALED_64),
    "gelu_twice_root": (
        float(np.float32(1.5957691216057307117597842397375)).hex(),
        (1.5957691216057307117597842397375).hex(),
    ),
    "sine_of_turns": (_SINE_OF_TURNS_32, _SINE_OF_TURNS_64),
    "one_by_two_pi": (
        float(np.float32(0.15915494309189533576888376337251)).hex(),
        (0.15915494309189533576888376337251).hex(),
    ),
    "gelu_cubic": (float(np.float32(0.044715)).hex(), (0.044715).hex()),
}


def constant(name: str, dtype: np.dtype[np.floating]) -> Array:
    """Return the numbers of a constant, (k,)."""
    texts = CONSTANTS[name][dtype.itemsize // 8].split()
    return np.array([float.fromhex(text) for text in texts], dtype=dtype)
