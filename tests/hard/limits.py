"""Limits of memory and threads: MemoryError or fewer threads, and afterwards all is well.

A training of a large net under RLIMIT_AS, some bytes above what is in use, or RLIMIT_NPROC; then
without the limit. Its parameters are those of one thread, or untouched where memory ended.
"""

from __future__ import annotations

import os
import random
import sys

from teams import run_script

QUICK, LONG = 6, 600

MOST = 40 << 20  # bytes above what is in use: some trainings fit, some do not

SCRIPT = """
import resource
import chainrule as cr

def in_use():
    for line in open("/proc/self/status"):
        if line.startswith("VmSize"): return int(line.split()[1]) * 1024

kind, amount, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
X, y = np.ones((400, 512)), np.ones((400, 512))

def net():
    model = cr.Model()
    for d, m in ((512, 1024), (1024, 512)):
        model.add(cr.Layer_Dense(d, m, rng=d, dtype=np.float32))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1e-3))
    return model

def parameters(model):
    parts = [a.tobytes() for layer in model.layers for a in (layer.weights, layer.biases)]
    return hashlib.sha256(b"".join(parts)).hexdigest()

def trained_elsewhere():
    # by a child: what a training has taken, this process would use again under the limit
    reading, writing = os.pipe()
    if os.fork() == 0:
        cr.set_num_threads(1)
        right = net()
        right.train(X, y)
        os.write(writing, parameters(right).encode())
        os._exit(0)
    os.wait()
    return os.read(reading, 100).decode()

expected = trained_elsewhere()
before, model = parameters(net()), net()
cr.set_num_threads(threads)
if kind == "NPROC":
    os.setuid(100000 + os.getpid())
number = getattr(resource, "RLIMIT_" + kind)
limit = amount + (in_use() if kind == "AS" else 0)
resource.setrlimit(number, (limit, resource.getrlimit(number)[1]))
try:
    model.train(X, y)
    found = "trained"
except MemoryError:
    found = "refused"
if kind == "AS":
    resource.setrlimit(number, (-1, -1))
assert parameters(model) == (expected if found == "trained" else before)
if kind == "AS":
    again = net()
    again.train(X, y)
    assert parameters(again) == expected
print(found)
"""


def check(count: int, seed: int) -> str:
    if sys.platform != "linux":
        return "not tried: needs /proc"
    random_ = random.Random(seed)
    ends = {"trained": 0, "refused": 0}
    for place in range(count):
        kind, amount = "AS", int((place + random_.random()) / count * MOST) // 4096 * 4096
        if place % 3 == 2 and os.getuid() == 0:
            kind, amount = "NPROC", random_.randrange(1, 8)
        (found,) = run_script(SCRIPT, kind, amount, random_.choice([1, 4]))
        ends[found] += 1
    assert count < QUICK or min(ends.values()) > 0, f"{ends}: the limits are no test"
    return (
        f"{count} limits of memory and threads: {ends['trained']} trained the right bits, "
        f"{ends['refused']} MemoryErrors with the parameters as they were, and all is well after"
    )
