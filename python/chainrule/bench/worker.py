"""The measured process: answers requests, one JSON document a line, until its input ends.

``{"do": "about"}``, ``open`` (a workload), ``first`` (the uncounted first call, which is also
the check), ``calibrate``, ``sample``, ``close``; ``fresh`` (import to the end of the steps, once
in a process); ``peak`` measures the machine.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from .agreement import fingerprint
from .peers import CONTESTANTS, Peer, Unsupported
from .workloads import Workload, make_task

PEAK = "peak"

# What a call does once, such as setting up a plan, weighs no more than in a very short training.
LEAST_STEPS = 8


class Worker:
    """The state behind the requests: the peer's class, and the peer of the open workload."""

    def __init__(self, name: str) -> None:
        self.contestant = next((c for c in CONTESTANTS if c.name == name), None)
        self.peer: Peer | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        actions: dict[str, Callable[..., dict[str, Any]]] = {
            "about": self.about,
            "open": self.open,
            "first": self.first,
            "calibrate": self.calibrate,
            "sample": self.sample,
            "close": self.close,
            "fresh": self.fresh,
            "peak": self.peak,
        }
        arguments = dict(request)
        return actions[arguments.pop("do")](**arguments)

    def about(self) -> dict[str, Any]:
        """Versions, the BLAS at work, the cores this process may use."""
        assert self.contestant is not None
        peer = self.contestant.load()
        blas = describe_blas() if peer.uses_blas else ""
        return {"versions": peer.versions(), "blas": blas, "cores": usable_cores()}

    def open(self, workload: dict[str, Any], dtype: str, threads: int) -> dict[str, Any]:
        assert self.contestant is not None
        self.peer = None  # the old workload's memory goes first
        task = make_task(Workload.from_dict(workload), dtype, threads)
        self.peer = self.contestant.load()(task)
        self.peer.reset()
        return {}

    def first(self, steps: int) -> dict[str, Any]:
        assert self.peer is not None
        begin = time.perf_counter()
        loss = self.peer.run(steps)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "note": self.peer.note(), **fingerprint(self.peer, loss)}

    def calibrate(self, seconds: float) -> dict[str, Any]:
        """How many steps take about `seconds`; at least LEAST_STEPS."""
        assert self.peer is not None
        steps, taken = self.peer.round_steps(1), 0.0
        while taken < seconds / 4:
            if taken:
                growth = max(2.0, min(100.0, 0.5 * seconds / taken))
                steps = self.peer.round_steps(int(steps * growth))
            taken = self._time(steps)
        wanted = max(LEAST_STEPS, int(steps * seconds / taken))
        return {"steps": self.peer.round_steps(wanted)}

    def sample(self, steps: int) -> dict[str, Any]:
        return {"seconds": self._time(steps) / steps}

    def _time(self, steps: int) -> float:
        assert self.peer is not None
        self.peer.prepare(steps)
        self.peer.reset()
        begin = time.perf_counter()
        self.peer.run(steps)
        return time.perf_counter() - begin

    def fresh(
        self, workload: dict[str, Any], dtype: str, threads: int, steps: int
    ) -> dict[str, Any]:
        """Seconds from the peer's import to the end of its first steps, and the fingerprint.

        NumPy and the standard library's modules that serve the requests are there already, so
        they are not part of it.
        """
        assert self.contestant is not None
        task = make_task(Workload.from_dict(workload), dtype, threads)
        begin = time.perf_counter()
        peer = self.contestant.load()(task)
        peer.reset()
        loss = peer.run(steps)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "note": peer.note(), **fingerprint(peer, loss)}

    def close(self) -> dict[str, Any]:
        self.peer = None
        return {}

    def peak(self, dtype: str, seconds: float) -> dict[str, Any]:
        """GFLOP/s of one thread's fused multiply-adds."""
        core: Any = importlib.import_module("chainrule._core")
        if not hasattr(core, "fma_peak"):
            raise Unsupported("this build of chainrule._core has no fma_peak")
        return {"gflops": float(core.fma_peak(dtype, seconds))}


def describe_blas() -> str:
    """Name, version and kernel of the BLAS in this process, '' where it cannot be told."""
    try:
        import threadpoolctl
    except ImportError:
        return ""
    np.ones((2, 2)) @ np.ones((2, 2))
    pools = [p for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
    parts = [
        f"{p['internal_api']} {p.get('version') or '?'} ({p.get('architecture', '?')} kernels)"
        for p in pools
    ]
    return ", ".join(dict.fromkeys(parts))


def usable_cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def take_over_stdout() -> TextIO:
    """The answers' own stream; whatever libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def describe(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, Unsupported) else f"{type(error).__name__}: {text}"


def serve(name: str) -> None:
    """Answer requests from the standard input until it ends."""
    answers = take_over_stdout()
    worker = Worker(name)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            answer = {
                "error": describe(error),
                "missing": isinstance(error, ImportError),
                "unsupported": isinstance(error, Unsupported),
            }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
