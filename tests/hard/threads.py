"""Eight Python threads: models that train beside each other, and one that all predict with.

Each model ends with the bits that it has alone, and each prediction is that of a whole step.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

import chainrule as cr

QUICK, LONG = 3, 300

THREADS = 8


def net(seed: int, width: int = 24) -> Any:
    model = cr.Model()
    for d, m in ((6, width), (width, 3)):
        model.add(cr.Layer_Dense(d, m, rng=seed + d, dtype=np.float32))
        model.add(cr.Activation_Tanh())
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.05, momentum=0.9))
    return model


def samples() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((64, 6)).astype("f4"), rng.standard_normal((64, 3)).astype("f4")


def in_threads(work: Any) -> None:
    """Call ``work(k)`` in eight threads at once; raise what one of them has raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(THREADS)

    def call(k: int) -> None:
        try:
            start.wait()
            work(k)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=call, args=(k,)) for k in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]


def trained(k: int) -> list[Any]:
    X, y = samples()
    model = net(k, 16 + 8 * k)
    model.train(X, y, epochs=30, batch_size=16, shuffle=True, rng=k)
    return [layer.weights for layer in model.trainable_layers]


def eight_models() -> None:
    expected = [trained(k) for k in range(THREADS)]
    found: dict[int, list[Any]] = {}
    in_threads(lambda k: found.__setitem__(k, trained(k)))
    for k in range(THREADS):
        for one, other in zip(expected[k], found[k], strict=True):
            np.testing.assert_array_equal(one, other)


def one_model_for_all(epochs: int = 60) -> int:
    """Seven threads predict while the eighth trains; return how many predictions were made."""
    X, y = samples()
    model, twin = net(1), net(1)
    whole = [twin.predict(X).tobytes()]
    for _ in range(epochs):
        twin.train(X, y)
        whole.append(twin.predict(X).tobytes())
    known, found, over = set(whole), set(), threading.Event()
    counts = [0] * THREADS

    def work(k: int) -> None:
        if k == 0:
            try:
                for _ in range(epochs):
                    model.train(X, y)
            finally:
                over.set()
            return
        while not over.is_set():
            found.add(model.predict(X).tobytes())
            counts[k] += 1

    in_threads(work)
    assert found <= known, "a prediction of no whole step"
    assert model.predict(X).tobytes() == whole[-1]
    return sum(counts)


def check(count: int, seed: int) -> str:
    before = cr.get_num_threads()
    predictions = 0
    try:
        for _ in range(count):
            cr.set_num_threads(2)
            eight_models()
            predictions += one_model_for_all()
    finally:
        cr.set_num_threads(before)
    return (
        f"{count * THREADS} models beside each other with the bits of each alone, "
        f"{predictions} predictions beside a training, each of a whole step"
    )
