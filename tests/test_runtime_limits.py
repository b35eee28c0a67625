"""Limits from outside: threadpoolctl's, and the system's on memory and processes."""

from __future__ import annotations

import functools
import os

import pytest

from teams import needs_proc, openmp_library, run_script

pytestmark = pytest.mark.several_threads

pytest.importorskip("resource")

# threadpoolctl

LIMITED = """
import threading
from threadpoolctl import threadpool_limits
import chainrule as cr

def found():
    print(cr.get_num_threads(), end=" ")
"""


def limited(code: str, *arguments: object, **environment: str) -> list[str]:
    return run_script(LIMITED + code, *arguments, **environment)


@pytest.mark.parametrize("api", [None, "openmp"])
@pytest.mark.parametrize(
    ("chosen", "limit", "within"), [(4, 3, 3), (4, 1, 1), (4, 9, 4), (None, 2, 2), (None, 9, 7)]
)
def test_a_limit_bounds_every_way_to_choose_while_it_lasts(
    api: str | None, chosen: int | None, limit: int, within: int
) -> None:
    choose = f"cr.set_num_threads({chosen})" if chosen else ""
    code = f"{choose}\nwith threadpool_limits({limit}, user_api={api!r}): found()\nfound()"
    assert limited(code, OMP_NUM_THREADS="7") == [str(within), str(chosen or 7)]


def test_a_limit_bounds_what_is_chosen_while_it_lasts() -> None:
    code = """
with threadpool_limits(2):
    cr.set_num_threads(5)
    found()
    with threadpool_limits(1): found()
    found()
found()
with threadpool_limits(1, user_api="blas"): found()
"""
    assert limited(code, OMP_NUM_THREADS="7") == ["2", "1", "2", "5", "5"]


def test_a_limit_holds_for_the_thread_that_it_was_set_in() -> None:
    code = """
cr.set_num_threads(5)
with threadpool_limits(2):
    other = threading.Thread(target=found)
    other.start()
    other.join()
    found()
"""
    assert limited(code, OMP_NUM_THREADS="7") == ["5", "2"]


def test_a_limit_from_before_the_import_ends_as_any_other() -> None:
    code = """
import ctypes
from threadpoolctl import threadpool_limits
ctypes.CDLL(sys.argv[1])
with threadpool_limits(1):
    import chainrule as cr
    print(cr.get_num_threads())
print(cr.get_num_threads())
cr.set_num_threads(9)
print(cr.get_num_threads())
"""
    assert run_script(code, openmp_library(), OMP_NUM_THREADS="7") == ["1", "7", "9"]


@needs_proc
def test_teams_keep_to_a_limit_and_the_bits_do_not_depend_on_it() -> None:
    code = """
with threadpool_limits(1): print(*heavy(4))
with threadpool_limits(3): print(*heavy(4))
print(*heavy(4))
"""
    words = limited(code, OMP_NUM_THREADS="7")
    assert words[::2] == ["0", "2", "1"] and len(set(words[1::2])) == 1


@needs_proc
def test_layer_calls_keep_to_a_limit() -> None:
    code = """
layer, x = cr.Layer_Dense(64, 64), np.ones((500, 64))
cr.set_num_threads(4)
before = tasks()
for limit in (1, 2, 4, 1):
    with threadpool_limits(limit, user_api="openmp"): layer.forward(x)
    print(tasks() - before)
"""
    words = limited(code, OMP_NUM_THREADS="7", CHAINRULE_TEAM="always")
    assert words == ["0", "1", "3", "3"]  # threads stay for the next team


def test_openmps_own_limit_of_threads_counts() -> None:
    code = "cr.set_num_threads(6)\nfound()"
    assert limited(code, OMP_THREAD_LIMIT="3") == ["3"]


# Limits of the system. OpenMP ends the process where it cannot make a thread.

REFUSING = """
import resource, threading, time
import chainrule as cr

def status(name):
    for line in open("/proc/self/status"):
        if line.startswith(name): return int(line.split()[1]) * 1024

def limit(kind, amount):
    "`amount` more bytes than are in use; or threads of a user who is not root."
    if kind == "NPROC":
        os.setuid(100000 + os.getpid())  # with no other process
    else:
        amount += status({"AS": "VmSize", "DATA": "VmData"}[kind])
    number = getattr(resource, "RLIMIT_" + kind)
    resource.setrlimit(number, (amount, resource.getrlimit(number)[1]))

def layers(threads):
    cr.set_num_threads(threads)
    layer, x = cr.Layer_Dense(256, 256), np.ones((500, 256))
    for _ in range(3): layer.forward(x)

cr.Layer_Dense(512, 512).forward(np.ones((400, 512)))  # what one thread needs is there
heavy(1)
"""
MEBIBYTE = 1 << 20
needs_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to be nobody else"
)


def refusing(code: str, *arguments: object, **environment: str) -> list[str]:
    return run_script(REFUSING + code, *arguments, **environment)


@functools.cache
def parameters() -> str:
    """What `heavy` comes to, by one thread."""
    return run_script("print(heavy(1)[1])")[0]


@needs_proc
@pytest.mark.parametrize(
    ("kind", "amount", "threads", "least", "most"),
    [
        ("AS", 2000 * MEBIBYTE, 4096, 2, 100),
        ("AS", 2000 * MEBIBYTE, 4, 3, 3),
        ("AS", 64 * MEBIBYTE, 4096, 0, 4),
        ("DATA", 200 * MEBIBYTE, 4096, 2, 20),
        pytest.param("NPROC", 12, 4096, 1, 11, marks=needs_root),
        pytest.param("NPROC", 1, 4, 0, 0, marks=needs_root),
        *(pytest.param("NPROC", n, 4, n // 2 - 1, 3, marks=needs_root) for n in (3, 4, 5, 6)),
    ],
)
def test_threads_that_cannot_be_had_cost_speed_only(
    kind: str, amount: int, threads: int, least: int, most: int
) -> None:
    code = f"limit({kind!r}, {amount})\nprint(*heavy({threads}), cr.get_num_threads())"
    more, found, asked = refusing(code)
    assert (found, int(asked)) == (parameters(), threads)
    assert least <= int(more) <= most


@needs_proc
@pytest.mark.parametrize(
    ("kind", "amount"),
    [("AS", 200 * MEBIBYTE), pytest.param("NPROC", 8, marks=needs_root)],
)
def test_layer_calls_do_with_the_threads_that_can_be_had(kind: str, amount: int) -> None:
    code = f"limit({kind!r}, {amount})\nlayers(2000)\nprint(tasks() < 100, *heavy(2000)[1:])"
    assert refusing(code, CHAINRULE_TEAM="always") == ["True", parameters()]


@needs_proc
def test_threads_are_tried_with_the_stacks_that_openmp_gives_them() -> None:
    code = f"limit('AS', {1000 * MEBIBYTE})\nprint(*heavy(5))"
    counts = {
        stack: int(refusing(code, OMP_STACKSIZE=stack)[0]) for stack in ("600M", "300 m", "100000")
    }
    assert counts == {"600M": 0, "300 m": 1, "100000": 2}
    assert int(refusing(code, GOMP_STACKSIZE="614400k")[0]) == 0
    assert int(refusing(code, OMP_STACKSIZE="junk")[0]) == 4


@needs_root
def test_many_threads_with_teams_of_their_own_share_what_there_is() -> None:
    code = """
limit("NPROC", 40)
cr.set_num_threads(8)
found, start = [], threading.Event()

def work():
    start.wait()
    found.append(heavy(8)[1])

workers = [threading.Thread(target=work) for _ in range(8)]
for worker in workers: worker.start()
start.set()
for worker in workers: worker.join()
print(*found)
"""
    assert refusing(code) == 8 * [parameters()]


@needs_proc
def test_a_refusal_is_not_for_ever() -> None:
    code = """
limit("AS", 16 << 20)
refused = heavy(3)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
time.sleep(2.1)
print(*refused, *heavy(3))
"""
    assert refusing(code) == ["0", parameters(), "2", parameters()]


@needs_proc
@pytest.mark.parametrize("kept", ["a plan's memory", "a model's plan", "arrays"])
def test_memory_that_is_kept_for_reuse_is_in_nobodys_way(kept: str) -> None:
    """160 MB wait to be used again; where no more can be had, they make room."""
    code = """
def net(width):
    model = cr.Model()
    for d, m in ((64, width), (width, 64)):
        model.add(cr.Layer_Dense(d, m, rng=1, dtype=np.float32))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1e-3))
    return model

X = np.ones((1024, 64), np.float32)
large, other = net(20000), net(20500)
if kept == "arrays":
    layer = large.layers[0]
    outputs = [layer.forward(X), layer.forward(X)]
    layer.output = outputs[0]  # one is in use, so the other is kept
    outputs = None
else:
    large.train(X, X, epochs=1)
    if kept == "a plan's memory":
        large.release()
limit("AS", 60 << 20 if kept == "arrays" else 100 << 20)
if kept == "arrays":
    print(layer.forward(X[:900]).shape)
elif kept == "a model's plan":
    print(len(large.train(X[:900], X[:900], epochs=1)))
else:
    print(len(other.train(X, X, epochs=1)))
"""
    expected = ["(900,", "20000)"] if kept == "arrays" else ["1"]
    assert refusing(f"kept = {kept!r}" + code) == expected
