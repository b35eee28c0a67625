"""Schedules: what multiplies a rate when a share t of a training is done.

A schedule is a function of t in [0, 1): an array of shares in, an array of multipliers out. The
classes here are such functions with settings that a model file keeps; any function will do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from .arrays import Array, as_count, as_number, as_real
from .catalogue import Part
from .errors import label_of, labelled
from .settings import Settings, is_fraction, is_nonnegative, is_shares, is_size

__all__ = [
    "Constant",
    "Cosine",
    "CosineLog",
    "CosineWarmup",
    "Exponential",
    "FlatCosine",
    "OneCycle",
    "Step",
    "multipliers",
]


class Schedule(Part, abstract=True):
    """Base of the schedules: a function of shares t (array_like) with settings."""

    kind: ClassVar[str] = "schedule"
    mathematics: ClassVar[tuple[str, ...]] = ("__call__",)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**{"abstract": False, **keywords})

    def __call__(self, t: Any) -> Array:
        """Return the multiplier at each share t, an array of the shape of t."""
        raise NotImplementedError(f"{label_of(self)}: expected a __call__(t)")

    def keep(self, **values: float) -> None:
        """Keep finite numbers of at least 0 as settings."""
        with labelled(type(self).__name__):
            for name, value in values.items():
                setattr(self, name, as_number(value, name))


def half_cosine(t: Any, end: float) -> Array:
    """``end + (1 - end) (1 + cos(pi t)) / 2``: from 1 at t = 0 down to `end` at t = 1."""
    down: Array = end + (1 - end) * (1 + np.cos(np.pi * np.asarray(t))) / 2
    return down


class Constant(Schedule):
    """1."""

    def __call__(self, t: Any) -> Array:
        """Return ones."""
        return np.ones(np.shape(t))


class Step(Schedule):
    """``factor`` to the power of how many of the shares `at` are reached.

    Parameters
    ----------
    factor : float
    at : sequence of float
        Shares of the training, from 0 to 1.
    """

    settings: ClassVar[Settings] = {"factor": is_nonnegative, "at": is_shares}
    factor: float
    at: tuple[float, ...]

    def __init__(self, factor: float = 0.1, at: float | Iterable[float] = (0.5, 0.75)) -> None:
        self.keep(factor=factor)
        given = np.atleast_1d(np.asarray(at)).tolist()
        with labelled(type(self).__name__):
            self.at = tuple(as_number(each, "at") for each in given)
            if not is_shares(self.at):
                raise ValueError(f"at: expected numbers from 0 to 1, got {given}")

    def __call__(self, t: Any) -> Array:
        """Return powers of the factor."""
        reached = (np.asarray(t)[..., None] >= np.asarray(self.at)).sum(axis=-1)
        return np.asarray(self.factor**reached, dtype=np.float64)


class Exponential(Schedule):
    """``end^t``: each step multiplies the rate by the same number.

    Parameters
    ----------
    end : float
        The multiplier at the end.
    """

    settings: ClassVar[Settings] = {"end": is_nonnegative}
    end: float

    def __init__(self, end: float = 0.01) -> None:
        self.keep(end=end)

    def __call__(self, t: Any) -> Array:
        """Return ``end^t``."""
        return np.asarray(self.end ** np.asarray(t, dtype=np.float64))


class Cosine(Schedule):
    """``end + (1 - end) (1 + cos(pi t)) / 2``.

    Parameters
    ----------
    end : float
        The multiplier at the end.

    References
    ----------
    Loshchilov, Hutter (2017).
    """

    settings: ClassVar[Settings] = {"end": is_nonnegative}
    end: float

    def __init__(self, end: float = 0.0) -> None:
        self.keep(end=end)

    def __call__(self, t: Any) -> Array:
        """Return half a cosine down to `end`."""
        return half_cosine(t, self.end)


class CosineWarmup(Schedule):
    """``t / warmup`` up to the share `warmup`, then `Cosine` over the rest.

    Parameters
    ----------
    warmup : float
        At least 0, below 1.
    end : float
        The multiplier at the end.
    """

    settings: ClassVar[Settings] = {"warmup": is_fraction, "end": is_nonnegative}
    warmup: float
    end: float

    def __init__(self, warmup: float = 0.05, end: float = 0.0) -> None:
        with labelled(type(self).__name__):
            self.warmup = as_number(warmup, "warmup", below=1.0)
        self.keep(end=end)

    def __call__(self, t: Any) -> Array:
        """Return a line up to 1, then half a cosine down to `end`."""
        shares = np.asarray(t, dtype=np.float64)
        rest = half_cosine((shares - self.warmup) / (1 - self.warmup), self.end)
        return np.where(shares < self.warmup, shares / (self.warmup or 1.0), rest)


class OneCycle(Schedule):
    """Half a cosine from `start` up to 1 at the share `peak`, half a cosine down to `end`.

    Parameters
    ----------
    peak : float
        At least 0, below 1.
    start, end : float

    References
    ----------
    Smith, Topin (2018).
    """

    settings: ClassVar[Settings] = {
        "peak": is_fraction,
        "start": is_nonnegative,
        "end": is_nonnegative,
    }
    peak: float
    start: float
    end: float

    def __init__(self, peak: float = 0.3, start: float = 0.04, end: float = 1e-4) -> None:
        with labelled(type(self).__name__):
            self.peak = as_number(peak, "peak", below=1.0)
        self.keep(start=start, end=end)

    def __call__(self, t: Any) -> Array:
        """Return the way up and down."""
        shares = np.asarray(t, dtype=np.float64)
        up = half_cosine(1 - shares / (self.peak or 1.0), self.start)
        down = half_cosine((shares - self.peak) / (1 - self.peak), self.end)
        return np.where(shares < self.peak, up, down)


class FlatCosine(Schedule):
    """``(1 + cos(pi (max(1, 2 t) - 1))) / 2``: 1 for the first half, then down to 0."""

    def __call__(self, t: Any) -> Array:
        """Return ones, then half a cosine."""
        return half_cosine(np.maximum(1, 2 * np.asarray(t, dtype=np.float64)) - 1, 0.0)


class CosineLog(Schedule):
    """``(1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2``: up and down, each cycle twice as long.

    Parameters
    ----------
    cycles : int
        At least 1.
    """

    settings: ClassVar[Settings] = {"cycles": is_size}
    cycles: int

    def __init__(self, cycles: int = 4) -> None:
        with labelled(type(self).__name__):
            self.cycles = as_count(cycles, "cycles", 1)

    def __call__(self, t: Any) -> Array:
        """Return the cycles."""
        shares = np.asarray(t, dtype=np.float64)
        turns = np.log2(1 + (2.0**self.cycles - 1) * shares)
        return np.asarray((1 - np.cos(2 * np.pi * turns)) / 2)


def multipliers(schedule: Any, t: Array, name: str = "schedule") -> Array:
    """Return what a schedule, or any function, gives for the shares t, (k,) float64.

    Raises
    ------
    TypeError
        No real numbers.
    ValueError
        Another shape, a negative number, NaN or infinity; names the first and its share.
    """
    values = as_real(schedule(t), name).astype(np.float64)
    if values.shape != t.shape:
        raise ValueError(
            f"{name}: expected a multiplier for each share, {t.shape}, got {values.shape}"
        )
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"{name}: expected finite multipliers of at least 0, got {values.flat[first]} "
            f"at the share {t.flat[first]:g}"
        )
    return values
