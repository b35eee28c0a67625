"""The interpreter ends while a daemon thread computes: the process ends with code 0."""

from __future__ import annotations

import subprocess
import sys

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
    "single steps": "lambda: for_ever(lambda: model.train_on_batch(X, y))",
}


@pytest.mark.parametrize("target", list(TARGETS))
def test_a_daemon_thread_does_not_abort_the_process(target: str) -> None:
    for seconds in (0.11, 0.153, 0.2):
        script = HEAD.format(target=TARGETS[target], seconds=seconds)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
