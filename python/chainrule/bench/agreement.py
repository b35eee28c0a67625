"""Do all contestants compute the same thing?

Everybody does the same few steps from the same parameters, and a NumPy loop in float64 does them
too. Compared are the mean loss that is reported over these steps, the loss of the final
parameters (computed here, in float64), how far each parameter array has moved (Euclidean norm),
and the loss that a practice reports of its validation samples; of predictions the outputs.

Dropout and shuffling are random, and each library has its own generator. So a practice is first
done without the two, two epochs of few batches, where all must agree as above; then with them,
where mean training loss and validation loss must lie within `DEVIATIONS` standard deviations of
the mean of `RUNS` runs of the NumPy loop with other seeds (one epoch; at least `LEAST_DEVIATION`
of the mean counts as a deviation), and the reported validation loss must be that of the final
parameters, without dropout. A dropped share of 0.1 or 0.3 for 0.2 misses the first by 8 deviations
and more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .peers.numpy_loop import NumpyLoop
from .peers.peer import Array, Peer
from .workloads import (
    FIRST_CALL,
    PRACTICE,
    PREDICT,
    SOFTMAX_CROSSENTROPY,
    Samples,
    Task,
    Workload,
    make_task,
)

# Relative. float32 rounds to 6e-8; some tens of steps with sums of up to 4096 terms in any order
# stay below a thousand times that. A wrong rule misses by far more.
LOSS_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
MOVED_TOLERANCE = {"float32": 2e-3, "float64": 1e-8}

RUNS, DEVIATIONS, LEAST_DEVIATION = 6, 6.0, 2e-3

SAMPLES_LOOKED_AT, EPOCHS_IN_ORDER = 64, 2
MOST_STEPS, MOST_FLOPS = 32, 2e11

Fingerprint = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """Steps of a workload, and what a fingerprint after them must be.

    ``compare(fingerprint)`` gives the largest relative difference and what is wrong ('' if
    nothing is); a difference of None is not one of rounding.
    """

    workload: Workload
    steps: int
    compare: Callable[[Fingerprint], tuple[float | None, str]]


def checks(workload: Workload, dtype: str) -> list[Check]:
    """What to check of a contestant; the last check does the workload itself."""
    plain = workload.in_order()
    expected = reference(plain, dtype)
    found = [Check(plain, check_steps(plain), lambda got: compare(got, expected, dtype))]
    if plain != workload:
        runs = runs_at_random(workload, dtype)
        found.append(
            Check(workload, check_steps(workload), lambda got: compare_at_random(got, runs, dtype))
        )
    return found


def check_steps(workload: Workload) -> int:
    """Steps of the check: whole epochs or a part of one, fewer for the largest networks."""
    epoch = workload.steps_per_epoch
    if workload.job == PRACTICE and workload == workload.in_order():
        return EPOCHS_IN_ORDER * epoch
    if workload.job in (PRACTICE, FIRST_CALL):
        return epoch
    steps = min(MOST_STEPS, max(1, int(MOST_FLOPS / workload.flops)))
    return steps - steps % epoch if steps > epoch else steps


def fingerprint(peer: Peer, reported_loss: float) -> Fingerprint:
    """What is compared of a peer that has just done its check."""
    task = peer.task
    if task.workload.job == PREDICT:
        return {"outputs": outputs_of(peer)}
    initial = [a for pair in task.parameters for a in pair]
    pairs = zip(peer.parameters(), initial, strict=True)
    arrays = [np.asarray(a).reshape(b.shape) for a, b in pairs]
    _check_dtypes(arrays, task.dtype)
    moved = [float(np.linalg.norm(a - b)) for a, b in zip(arrays, initial, strict=True)]
    first = Samples(task.inputs[:SAMPLES_LOOKED_AT], task.targets[:SAMPLES_LOOKED_AT])
    found = {"loss": reported_loss, "final_loss": loss_of(task, first, arrays), "moved": moved}
    if task.workload.validation:
        found["validation_loss"] = peer.validation_loss
        found["final_validation_loss"] = loss_of(task, task.validation, arrays)
    return found


def _check_dtypes(arrays: list[Array], expected: str) -> None:
    wrong = sorted({str(a.dtype) for a in arrays} - {expected})
    if wrong:
        raise TypeError(f"arrays: expected {expected}, got {', '.join(wrong)}")


def outputs_of(peer: Peer) -> list[float]:
    """Outputs of some rows: of the first calls of few rows each, or of one call."""
    batch, answer = peer.workload.batch, peer.predictor()
    calls = min(max(1, SAMPLES_LOOKED_AT // batch), peer.workload.steps_per_epoch)
    outputs = [np.asarray(answer(peer.task.batch(k)[0])) for k in range(calls)]
    _check_dtypes(outputs, peer.task.dtype)
    rows = np.concatenate([output.reshape(batch, -1) for output in outputs])
    return [float(v) for v in rows[:: max(1, len(rows) // SAMPLES_LOOKED_AT)].ravel()]


def loss_of(task: Task, samples: Samples, arrays: list[Array]) -> float:
    """Loss of the samples in float64."""
    x, y = samples.inputs.astype(np.float64), samples.targets
    for k in range(0, len(arrays), 2):
        x = x @ arrays[k].astype(np.float64) + arrays[k + 1].astype(np.float64)
        if k + 2 < len(arrays):
            x = np.tanh(x) if task.workload.hidden == "tanh" else np.maximum(x, 0)
    if task.workload.loss == SOFTMAX_CROSSENTROPY:
        x -= x.max(axis=1, keepdims=True)
        picked = x[np.arange(len(y)), y] - np.log(np.exp(x).sum(axis=1))
        return float(-picked.mean())
    return float(0.5 * np.sum((x - y) ** 2) / len(y))


def reference(workload: Workload, dtype: str) -> Fingerprint:
    """The fingerprint to meet: the task's arrays, rounded to `dtype`, in float64."""
    task = make_task(workload, dtype, threads=1)
    exact = [(w.astype(np.float64), b.astype(np.float64)) for w, b in task.parameters]
    inputs, targets = _exact(Samples(task.inputs, task.targets), task.classes)
    held_out = _exact(task.validation, task.classes)
    return _fingerprint_of_loop(Task(workload, "float64", 1, inputs, targets, exact, held_out))


def runs_at_random(workload: Workload, dtype: str) -> list[Fingerprint]:
    """Fingerprints of the NumPy loop with other seeds; they differ by more than rounding."""
    task = make_task(workload, dtype, threads=1)
    return [_fingerprint_of_loop(replace(task, seed=100 + k)) for k in range(RUNS)]


def _fingerprint_of_loop(task: Task) -> Fingerprint:
    peer = NumpyLoop(task)
    peer.reset()
    return fingerprint(peer, peer.run(check_steps(task.workload)))


def _exact(samples: Samples, classes: bool) -> Samples:
    targets = samples.targets if classes else samples.targets.astype(np.float64)
    return Samples(samples.inputs.astype(np.float64), targets)


def compare(got: Fingerprint, expected: Fingerprint, dtype: str) -> tuple[float, str]:
    """Largest relative difference of losses or outputs, and what is wrong ('' if nothing is)."""
    if "outputs" in expected:
        return _compare_outputs(got["outputs"], expected["outputs"], dtype)
    names = [name for name in expected if name.endswith("loss")]
    # np.max, since Python's max may pass over a NaN
    loss_error = float(np.max([relative(got[name], expected[name]) for name in names]))
    smallest = 1e-3 * max(expected["moved"])
    pairs = zip(got["moved"], expected["moved"], strict=True)
    moved_error = float(np.max([abs(a - b) / max(b, smallest) for a, b in pairs]))
    if not loss_error <= LOSS_TOLERANCE[dtype]:
        wanted, found = (_losses(losses, names) for losses in (expected, got))
        return loss_error, f"losses: expected {wanted}, got {found}"
    if not moved_error <= MOVED_TOLERANCE[dtype]:
        return loss_error, f"parameters moved otherwise: relative difference {moved_error:.1e}"
    return loss_error, ""


def _losses(losses: Fingerprint, names: list[str]) -> str:
    return " and ".join(f"{losses[name]:.8g}" for name in names)


def _compare_outputs(got: list[float], expected: list[float], dtype: str) -> tuple[float, str]:
    a, b = np.asarray(got), np.asarray(expected)
    if a.shape != b.shape:
        return float("inf"), f"outputs: expected {b.size} numbers, got {a.size}"
    error = float(np.max(np.abs(a - b)) / np.max(np.abs(b)))
    if error <= LOSS_TOLERANCE[dtype]:
        return error, ""
    return error, f"outputs: relative difference {error:.1e}"


def compare_at_random(got: Fingerprint, runs: list[Fingerprint], dtype: str) -> tuple[None, str]:
    """What is wrong with a practice whose masks and orders are its own."""
    for name in ("loss", "validation_loss"):
        values = np.array([run[name] for run in runs])
        mean = float(values.mean())
        bound = DEVIATIONS * max(float(values.std(ddof=1)), LEAST_DEVIATION * mean)
        if not abs(got[name] - mean) <= bound:
            what = name.replace("_", " ")
            return None, f"{what}: expected {mean:.6g} within {bound:.2g}, got {got[name]:.6g}"
    reported, own = got["validation_loss"], got["final_validation_loss"]
    if not relative(reported, own) <= LOSS_TOLERANCE[dtype]:
        return None, f"validation: reports {reported:.8g}, its parameters have {own:.8g}"
    return None, ""


def relative(a: float, b: float) -> float:
    return abs(a - b) / abs(b)
