"""Do all contestants compute the same thing?

Everybody trains the same few steps from the same parameters. Compared with a NumPy loop in
float64: the mean loss they report over these steps, the loss of their final parameters
(computed here, in float64) and how far each parameter array has moved (Euclidean norm).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .peers.numpy_loop import NumpyLoop
from .peers.peer import Peer
from .workloads import SOFTMAX_CROSSENTROPY, Task, Workload, make_task

# Relative. float32 rounds to 6e-8; some tens of steps with sums of up to 4096 terms in any order
# stay below a thousand times that. A wrong rule misses by far more.
LOSS_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
MOVED_TOLERANCE = {"float32": 2e-3, "float64": 1e-8}

SAMPLES_LOOKED_AT = 64
MOST_STEPS, MOST_FLOPS = 32, 2e11


def check_steps(workload: Workload) -> int:
    """Steps of the check: whole epochs or a part of one, fewer for the largest networks."""
    steps = min(MOST_STEPS, max(1, int(MOST_FLOPS / workload.flops)))
    epoch = workload.steps_per_epoch
    return steps - steps % epoch if steps > epoch else steps


def fingerprint(peer: Peer, reported_loss: float) -> dict[str, Any]:
    """What is compared of a peer that has just trained."""
    initial = [a for pair in peer.task.parameters for a in pair]
    pairs = zip(peer.parameters(), initial, strict=True)
    arrays = [np.asarray(a).reshape(b.shape) for a, b in pairs]
    wrong = sorted({str(a.dtype) for a in arrays} - {peer.task.dtype})
    if wrong:
        raise TypeError(f"parameters: expected {peer.task.dtype}, got {', '.join(wrong)}")
    moved = [float(np.linalg.norm(a - b)) for a, b in zip(arrays, initial, strict=True)]
    return {"loss": reported_loss, "final_loss": loss_of(peer.task, arrays), "moved": moved}


def loss_of(task: Task, arrays: list[NDArray[Any]]) -> float:
    """Loss of the first samples in float64."""
    x = task.inputs[:SAMPLES_LOOKED_AT].astype(np.float64)
    y = task.targets[:SAMPLES_LOOKED_AT]
    for k in range(0, len(arrays), 2):
        x = x @ arrays[k].astype(np.float64) + arrays[k + 1].astype(np.float64)
        if k + 2 < len(arrays):
            x = np.tanh(x) if task.workload.hidden == "tanh" else np.maximum(x, 0)
    if task.workload.loss == SOFTMAX_CROSSENTROPY:
        x -= x.max(axis=1, keepdims=True)
        picked = x[np.arange(len(y)), y] - np.log(np.exp(x).sum(axis=1))
        return float(-picked.mean())
    return float(0.5 * np.sum((x - y) ** 2) / len(y))


def reference(workload: Workload, dtype: str) -> dict[str, Any]:
    """The fingerprint to meet: the task's arrays, rounded to `dtype`, trained in float64."""
    task = make_task(workload, dtype, threads=1)
    exact = [(w.astype(np.float64), b.astype(np.float64)) for w, b in task.parameters]
    targets = task.targets if task.classes else task.targets.astype(np.float64)
    inputs = task.inputs.astype(np.float64)
    peer = NumpyLoop(Task(workload, "float64", 1, inputs, targets, exact))
    peer.reset()
    return fingerprint(peer, peer.run(check_steps(workload)))


def compare(got: dict[str, Any], expected: dict[str, Any], dtype: str) -> tuple[float, str]:
    """Largest relative difference of the losses, and what is wrong ('' if nothing is)."""
    losses = [(got[key], expected[key]) for key in ("loss", "final_loss")]
    # np.max, since Python's max may pass over a NaN
    loss_error = float(np.max([relative(a, b) for a, b in losses]))
    smallest = 1e-3 * max(expected["moved"])
    pairs = zip(got["moved"], expected["moved"], strict=True)
    moved_error = float(np.max([abs(a - b) / max(b, smallest) for a, b in pairs]))
    if not loss_error <= LOSS_TOLERANCE[dtype]:
        (a, b), (c, d) = losses
        return loss_error, f"losses: expected {b:.8g} and {d:.8g}, got {a:.8g} and {c:.8g}"
    if not moved_error <= MOVED_TOLERANCE[dtype]:
        return loss_error, f"parameters moved otherwise: relative difference {moved_error:.1e}"
    return loss_error, ""


def relative(a: float, b: float) -> float:
    return abs(a - b) / abs(b)
