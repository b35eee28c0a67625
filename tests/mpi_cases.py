"""What a rank does in tests/test_mpi.py: ``mpiexec -n 3 python mpi_cases.py CASE ...``.

Every case returns plain values. Rank 0 prints those of all ranks as JSON: a list of a dict by case.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.mpi import DataParallel

N, D, CLASSES = 203, 12, 4


def samples(dtype: Any = np.float32) -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    X = rng.standard_normal((N, D)).astype(dtype)
    return X, rng.integers(0, CLASSES, N)


def held_out() -> tuple[Any, Any]:
    rng = np.random.default_rng(6)
    return rng.standard_normal((61, D)), rng.integers(0, CLASSES, 61)


def network(dtype: str = "float32", width: int = 40, dropout: float = 0.3, seed: int = 3) -> Any:
    """A model with all that a step may have: penalties, dropout, momentum, a schedule."""
    model = cr.mlp(
        D,
        width,
        24,
        CLASSES,
        output="softmax",
        dropout=dropout,
        optimizer=cr.Optimizer_Adam(0.01, schedule=cr.schedules.Cosine(), weight_decay=0.01),
        dtype=dtype,
        seed=seed,
    )
    model.layers[0].weight_regularizer_l2 = 1e-3
    model.layers[0].bias_regularizer_l1 = 1e-3
    model.set(accuracy=cr.Accuracy_Categorical())
    return model


def settings(**others: Any) -> dict[str, Any]:
    return {
        "epochs": 3,
        "batch_size": 50,
        "shuffle": True,
        "rng": 9,
        "validation_data": held_out(),
        "clip_norm": 0.5,
        "sample_weight": np.linspace(0.0, 2.0, N),
        **others,
    }


def told(model: Any, history: Any) -> dict[str, Any]:
    columns = [name for name in history.recorded() if name != "seconds"]
    return {
        "fingerprint": model.fingerprint(),
        "history": {name: history[name].tolist() for name in columns},
        "seconds": history.seconds.tolist(),
        "best": history.best_epoch,
        "iterations": int(model.optimizer.iterations),
        "parameters": [float(x) for x in model.flat_parameters()],
        "dropout": [[layer.key, layer.step] for layer in model.layers if hasattr(layer, "key")],
    }


def trained(parallel: dict[str, Any], dtype: str = "float32", **options: Any) -> dict[str, Any]:
    model = network(dtype)
    X, y = samples()
    history = DataParallel(model, **parallel).train(X, y, **settings(**options))
    return told(model, history)


def case_sums() -> Any:
    return [
        trained({}, "float64"),
        trained({}, "float64", accumulate=3, drop_last=True, best_epoch="loss"),
        trained({}, "float64", sample_weight=None, shuffle=False),
    ]


def case_deterministic() -> Any:
    tiny = network(width=3, dropout=0.0)  # the nano engine
    history = DataParallel(tiny, deterministic=True).train(
        *samples(), **settings(batch_size=5, epochs=1)
    )
    return [
        trained({"deterministic": True}),
        trained({"deterministic": True}, accumulate=2, sample_weight=None),
        trained({"deterministic": 3}, "float64", batch_size=2, epochs=1),
        told(tiny, history),
    ]


def own_rows(counts: list[int], rank: int) -> slice:
    ends = np.cumsum([0, *counts])
    return slice(ends[rank], ends[rank + 1])


def case_sharded() -> Any:
    found = []
    comm = DataParallel(network()).ranks.comm
    X, y = samples()
    first = [100, 3, 0, 100][: comm.size]
    first[0] += N - sum(first)
    for counts in (first, [N, 0, 0, 0][: comm.size]):
        for options in ({}, {"sample_weight": None, "shuffle": False}):
            model = network("float64", dropout=0.0)
            every = settings(**options)
            rows = own_rows(counts, comm.rank)
            if every["sample_weight"] is not None:
                every["sample_weight"] = every["sample_weight"][rows]
            history = DataParallel(model, sharded=True).train(X[rows], y[rows], **every)
            found.append(told(model, history))
    return found


def case_regression() -> Any:
    """Rows of their own for an accuracy that learns from all targets."""
    comm = DataParallel(network()).ranks.comm
    rng = np.random.default_rng(1)
    X = rng.standard_normal((90, 3))
    y = X @ rng.standard_normal((3, 1)) * 100
    model = cr.mlp(3, 8, 1, dtype="float64", seed=1)
    model.set(accuracy=cr.Accuracy_Regression())
    rows = slice(comm.rank * 90 // comm.size, (comm.rank + 1) * 90 // comm.size)
    history = DataParallel(model, sharded=True).train(X[rows], y[rows], epochs=2, batch_size=16)
    return {**told(model, history), "precision": model.accuracy.precision}


class Notes(cr.Callback):
    """Notes what it was told, and changes the rate as all ranks do."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.losses.append(logs["validation_loss"])
        self.model.optimizer.learning_rate *= 0.5
        self.model.evaluate(*held_out(), quiet=True)


def case_callbacks() -> Any:
    """Early stopping, the best epoch, callbacks and lines; ranks begin with different models."""
    rank = DataParallel(network()).rank
    X, y = samples()
    notes, stopping = Notes(), cr.EarlyStopping(patience=2)
    model = network(seed=3 + rank)
    options = settings(epochs=12, rng=None if rank else 9, callbacks=[notes, stopping])
    model.train(X, y, **options, print_every=2, comm=DataParallel(model).ranks.comm)
    found = told(model, model.history)
    return {**found, "losses": notes.losses, "stopped": stopping.stopped_epoch}


def local_network(dtype: str) -> Any:
    """One whose rule is linear in the gradients: means of steps are steps of means."""
    model = network(dtype)
    model.set(optimizer=cr.Optimizer_SGD(0.05, momentum=0.9, weight_decay=0.01))
    return model


def case_local() -> Any:
    found = []
    for steps in (1, 3):
        every, model = settings(clip_norm=None, epochs=3), local_network("float64")
        history = DataParallel(model, local_steps=steps).train(*samples(), **every)
        found.append(told(model, history))
    return found


class Killed(cr.Callback):
    """Kills one rank after an epoch, once."""

    def __init__(self, rank: int, epoch: int) -> None:
        self.rank, self.epoch = rank, epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == self.epoch and DataParallel(self.model).rank == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)


def begun(callbacks: list[Any]) -> Any:
    """A training of five epochs whose schedule is as long; five are made."""
    model = network()
    every = settings(epochs=5, callbacks=callbacks)
    history = DataParallel(model, deterministic=True).train(*samples(), **every)
    return told(model, history)


def case_checkpointed() -> Any:
    return begun([cr.Checkpoint("whole.safetensors", every=2)])


def case_killed() -> Any:
    return begun([cr.Checkpoint("killed.safetensors", every=2), Killed(1, 3)])


def case_resumed() -> Any:
    """Rank 0 alone reads the checkpoint of epoch 2; three epochs are left."""
    model = network(seed=77)
    if DataParallel(model).rank == 0:
        model = cr.Model.load("killed.safetensors")
    every = settings(epochs=3, rng=None)
    history = DataParallel(model, deterministic=True).train(*samples(), **every)
    return told(model, history)


class Raises(cr.Callback):
    def __init__(self, rank: int) -> None:
        self.rank = rank

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if DataParallel(self.model).rank == self.rank:
            raise OSError(28, "No space left on device")


class Drifts(cr.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.model.layers[0].biases += DataParallel(self.model).rank


def message_of(call: Any) -> list[str]:
    try:
        call()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return ["", ""]


def case_errors() -> Any:
    """Errors that are raised on all ranks, which go on afterwards."""
    X, y = samples()
    found = {}

    def attempt(name: str, X: Any = X, y: Any = y, parallel: Any = (), **options: Any) -> None:
        model = network()
        train = DataParallel(model, **dict(parallel)).train
        before = model.fingerprint()
        found[name] = message_of(lambda: train(X, y, **settings(**options)))
        found[name].append("changed" if model.fingerprint() != before else "unchanged")

    rank = DataParallel(network()).rank
    bad = y.copy()
    bad[7] = CLASSES if rank == 1 else 0
    attempt("labels", y=bad)
    attempt("batch", batch_size=50 + rank)
    attempt("callback", callbacks=[Raises(1)])
    attempt("drift", callbacks=[Drifts()])
    attempt("hooks", callbacks=[Notes()] if rank == 0 else [])
    attempt("record", record=cr.Record("gradients", every=1))
    attempt("split", parallel={"sharded": True}, validation_data=None, validation_split=0.1)
    attempt("loss", X=np.full_like(X, 3e38), clip_norm=None, epochs=1)
    attempt("fine", epochs=1)
    return found


def case_dies() -> Any:
    """A rank ends in mid-training without a word."""

    class Dies(cr.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            if DataParallel(self.model).rank == 1:
                os._exit(5)

    return trained({}, callbacks=[Dies()], epochs=1000)


def case_raises() -> Any:
    """A rank fails outside of `train`, while the others are in it."""
    parallel = DataParallel(network())
    if parallel.rank == 1:
        raise LookupError("the data of rank 1 are gone")
    return trained({}, epochs=3)


def case_raises_at_length() -> Any:
    """A rank fails with a text that fills the launcher's pipe."""
    parallel = DataParallel(network())
    if parallel.rank == 1:
        raise LookupError("a missing row\n" * 4000 + "the last of the missing rows")
    return trained({}, epochs=3)


def case_members() -> Any:
    """A member of an ensemble fails on the rank that trains it."""
    from functools import partial

    from chainrule.mpi.ranks import Ranks
    from chainrule.sklearn.tabular.ensemble import on_ranks, run_all
    from chainrule.sklearn.tabular.watch import Watch

    def member(k: int) -> int:
        if k == 1:
            raise MemoryError("member 1 has no room")
        return k

    with on_ranks(Ranks()):
        jobs = [partial(member, k) for k in range(4)]
        return message_of(lambda: run_all(jobs, Watch(4, []), None))


def case_fails() -> Any:
    """A rank fails within a step."""
    parallel = DataParallel(network())
    if parallel.rank == 1:

        def broken(self: Any, step: int, part: int) -> Any:
            raise MemoryError("rank 1 has no room")

        from chainrule.mpi import rows

        rows.WholeShare.of = broken  # type: ignore[method-assign, assignment]
    return trained({}, epochs=3)


def main() -> None:
    answers = {name: globals()[f"case_{name}"]() for name in sys.argv[1:]}
    everybody = DataParallel(network()).ranks.comm.gather(answers)
    if everybody is not None:
        print("ANSWER " + json.dumps(everybody))


if __name__ == "__main__":
    main()
