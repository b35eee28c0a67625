"""The interpreter ends while a daemon thread computes: the process ends with code 0."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

HEAD = """
import threading, time
import numpy as np
import chainrule as cr

rng = np.random.default_rng(1)
X, y = rng.standard_normal((256, 64)), rng.standard_normal((256, 8))
model = cr.Model()
model.add(cr.Layer_Dense(64, 256, rng=1))
model.add(cr.Activation_LeakyReLU(0.1))
model.add(cr.Layer_Dense(256, 8, rng=2))
model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1e-4))
layer = cr.Layer_Dense(1024, 1024, rng=3)
inputs = rng.standard_normal((512, 1024))

class Property(cr.Layer_Dense):
    # Python code that an update in the core runs

    trainable = property(lambda self: sum(range(50)) > 0)

own = Property(64, 8, rng=4)

def update():
    own.forward(X)
    own.backward(y)
    model.optimizer.update_params(own)

def for_ever(call):
    while True:
        call()

threading.Thread(target={target}, daemon=True).start()
time.sleep({seconds})
"""
TARGETS = {
    "a plan": "lambda: model.train(X, y, epochs=10**9, batch_size=64)",
    "a large layer call": "lambda: for_ever(lambda: layer.forward(inputs))",
    "predictions": "lambda: for_ever(lambda: model.predict(X))",
    "predictions of few rows": "lambda: for_ever(lambda: model.predict(X[:1]))",
    "gradients": "lambda: for_ever(lambda: model.gradients(X, y))",
    "updates": "lambda: for_ever(update)",
    "single steps": "lambda: for_ever(lambda: model.train_on_batch(X, y))",
}


@pytest.mark.parametrize("target", list(TARGETS))
def test_a_daemon_thread_does_not_abort_the_process(target: str) -> None:
    """Ten moments, three processes at a time: a thread is then often caught without the lock."""

    def ended(seconds: float) -> tuple[int, str]:
        script = HEAD.format(target=TARGETS[target], seconds=seconds)
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stderr

    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(ended, [0.1 + 0.0137 * moment for moment in range(10)]))
    assert found == {(0, "")}
