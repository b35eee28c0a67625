"""Children of fork, after, during and within trainings: the right bits, and none that hangs."""

from __future__ import annotations

import sys

from teams import run_script

QUICK, LONG = 6, 200

SCRIPT = """
import random, signal, threading, time, warnings
import chainrule as cr

warnings.simplefilter("ignore")  # Python 3.12, of threads and fork
numbers = random.Random(int(sys.argv[2]))
right = train(64, 128, 10, n=300, threads=1, epochs=4)[1]

def small():
    return train(64, 128, 10, n=300, threads=2, epochs=4)[1]

def in_child():
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)  # whoever waits for a team that is not there ends so
        code = 1
        try:
            code = 0 if small() == right else 2
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]

def after():
    small()
    return in_child()

def during():
    worker = threading.Thread(target=heavy, args=(2,))
    worker.start()
    time.sleep(numbers.uniform(0, 0.05))
    found = in_child()
    worker.join()
    return found

def within():
    found = []
    class Fork:
        def on_epoch_end(self, epoch, logs): found.append(in_child())
    model = cr.Model()
    model.add(cr.Layer_Dense(8, 4))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.1))
    model.train(np.ones((20, 8)), np.ones((20, 4)), callbacks=[Fork()])
    return found[0]

codes = [(after, during, within)[k % 3]() for k in range(int(sys.argv[1]))]
assert small() == right and set(codes) == {0}, codes
print(len(codes))
"""


def check(count: int, seed: int) -> str:
    if sys.platform == "win32":
        return "not tried: needs fork"
    (done,) = run_script(SCRIPT, count, seed, timeout=60 + 20 * count)
    return f"{done} children after, during and within trainings: right bits, none hung"
