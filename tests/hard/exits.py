"""The interpreter ends while a daemon thread computes: the process ends with code 0."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

QUICK, LONG = 7, 700

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


def ended(target: str, seconds: float) -> tuple[int, str]:
    """Return the code of a process that ends so long after its thread began, and its words."""
    script = HEAD.format(target=TARGETS[target], seconds=seconds)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def check(count: int, seed: int) -> str:
    random_ = random.Random(seed)
    names = list(TARGETS)
    moments = [(names[k % len(names)], random_.uniform(0.05, 0.4)) for k in range(count)]
    with ThreadPoolExecutor(3) as pool:  # several at a time: threads are often without the lock
        found = list(pool.map(lambda moment: ended(*moment), moments))
    wrong = [(moment, end) for moment, end in zip(moments, found, strict=True) if end != (0, "")]
    assert not wrong, wrong[0]
    return f"{count} ends of the interpreter beside a busy thread: code 0"
