"""The tool's side of a measured process: start, ask, end.

Every contestant has its own process for each thread count, kept alive through the run; only one
of them computes at a time. Threads and cores are fixed before the peer is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from .machine import cores_for

# An answer that takes longer than this is not coming.
ANSWER_SECONDS = 900.0

# Forced kernels and block sizes of OpenBLAS would hold the peers back (or flatter them).
DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class WorkerFailed(Exception):
    """The process answered with an error, or not at all."""


class Missing(WorkerFailed):
    """The peer is not installed."""


class NotSupported(WorkerFailed):
    """The peer cannot do this."""


def environment(threads: int, base: dict[str, str]) -> dict[str, str]:
    """The variables of a measured process, from those of the tool."""
    variables = {key: value for key, value in base.items() if key not in DROPPED}
    variables.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    variables.update(JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    if threads == 1:
        flags = variables.get("XLA_FLAGS", "")
        variables["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return variables


class WorkerProcess:
    """One contestant in its own process.

    Attributes
    ----------
    about : dict
        Versions, BLAS and cores, as the process tells them.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        cores = ",".join(map(str, cores_for(threads)))
        launch = str(Path(__file__).with_name("launch.py"))
        self._log = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [sys.executable, launch, name, cores],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(threads, dict(os.environ)),
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the tool, which then ends its processes
        )
        self.about: dict[str, Any] = {}

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises
        ------
        Missing, NotSupported, WorkerFailed
            If the answer is an error; ``WorkerFailed`` also if the process has died.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        timer = threading.Timer(ANSWER_SECONDS, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            ended = f"its process ended (exit code {self._exit_code()})"
            raise WorkerFailed(ended + self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = NotSupported if answer["unsupported"] else WorkerFailed
            raise (Missing if answer["missing"] else kind)(answer["error"])
        return answer

    def _exit_code(self) -> int | None:
        self._process.kill()
        return self._process.wait()

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def end(self) -> None:
        """End the process; it holds nothing that must be kept."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
