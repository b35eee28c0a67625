"""A random generator's state <-> plain JSON values, for NumPy's own bit generators.

The table says what a state holds: a number n stands for an int below n, a pair (k, n) for k
of them. Positions within buffers are limits too: NumPy does not check them itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .model_file import shown

Layout = dict[str, Any]

PENDING: Layout = {"has_uint32": 2, "uinteger": 2**32}
PCG: Layout = {"state": {"state": 2**128, "inc": 2**128}, **PENDING}
LAYOUTS: dict[str, Layout] = {
    "PCG64": PCG,
    "PCG64DXSM": PCG,
    "MT19937": {"state": {"key": (624, 2**32), "pos": 625}},
    "Philox": {
        "state": {"counter": (4, 2**64), "key": (2, 2**64)},
        "buffer": (4, 2**64),
        "buffer_pos": 5,
        **PENDING,
    },
    "SFC64": {"state": {"state": (4, 2**64)}, **PENDING},
}


def describe_generator(generator: Any) -> dict[str, Any] | None:
    """Return the generator's kind and state as plain values; None for None.

    Raises
    ------
    TypeError
        The generator, or its bit generator, is not NumPy's.
    """
    if generator is None:
        return None
    bits = getattr(generator, "bit_generator", None)
    name = type(bits).__name__
    known = name in LAYOUTS and type(bits) is getattr(np.random, name)
    if type(generator) is not np.random.Generator or not known:
        raise TypeError(
            f"rng: expected a numpy.random.Generator with {', '.join(LAYOUTS)}, got {generator!r}"
        )
    state = bits.state  # type: ignore[union-attr]
    return {"class": name, **plain({key: state[key] for key in LAYOUTS[name]})}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def build_generator(entry: Any) -> np.random.Generator | None:
    """Return the generator that `describe_generator` described.

    Raises
    ------
    ValueError
        An unknown kind, or a state that it cannot have.
    """
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ValueError(f"generator: expected an object with a class, got {shown(entry)}")
    name = entry.get("class")
    if not isinstance(name, str) or name not in LAYOUTS:
        raise ValueError(f"generator: expected {', '.join(LAYOUTS)}, got {shown(name)}")
    state = {key: value for key, value in entry.items() if key != "class"}
    check_state(state, LAYOUTS[name], f"generator: {name}")
    bits = getattr(np.random, name)(0)
    bits.state = {"bit_generator": name, **arrays_in(state, bits.state)}
    return np.random.Generator(bits)


def check_state(value: Any, layout: Any, where: str) -> None:
    """Refuse a state that does not have the layout."""
    if isinstance(layout, dict):
        if not isinstance(value, dict) or set(value) != set(layout):
            raise ValueError(f"{where}: expected {', '.join(layout)}, got {shown(value)}")
        for key, inner in layout.items():
            check_state(value[key], inner, f"{where}: {key}")
    elif isinstance(layout, tuple):
        count, limit = layout
        if not isinstance(value, list) or len(value) != count:
            raise ValueError(f"{where}: expected {count} ints, got {shown(value)}")
        for each in value:
            check_state(each, limit, where)
    elif type(value) is not int or not 0 <= value < layout:
        raise ValueError(f"{where}: expected an int from 0 to {layout - 1}, got {shown(value)}")


def arrays_in(state: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """Return `state` with an array where `like` has one."""
    result: dict[str, Any] = {}
    for key, value in state.items():
        held = like[key]
        if isinstance(held, dict):
            result[key] = arrays_in(value, held)
        elif isinstance(held, np.ndarray):
            result[key] = np.array(value, dtype=held.dtype)
        else:
            result[key] = value
    return result
