"""Children of fork: they train the same bits, alone after a team, and never wait for one."""

from __future__ import annotations

import functools
import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import chainrule as cr
from plan_cases import WAYS, Case, all_arrays, going, make_data, make_model
from teams import (
    HEAVY,
    TEAM,
    Each,
    assert_equal,
    needs_fork,
    needs_proc,
    openmp_library,
    run_script,
    same,
    trained,
)

# in_child(action) runs `action` in a child that cannot wait for ever, and waits for its end.
FORKING = """
import ctypes, signal, threading

def in_child(action):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        action()
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def tell(threads=2):
    found = heavy(threads)
    import chainrule as cr
    print(cr.get_num_threads(), *found, flush=True)

def team_of_somebody_else():
    "Two threads that call free(NULL), through the OpenMP library of the core."
    library = ctypes.CDLL(sys.argv[1])
    library.GOMP_parallel(ctypes.CDLL(None).free, None, 2, 0)
"""


def in_child(action: Callable[[], bool], seconds: float = 60) -> str:
    """Run `action` in a forked child; "right", "wrong", "failed" or "hung" comes back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12, of threads and fork
        pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if action() else 1
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return {0: "right", 1: "wrong"}.get(os.waitstatus_to_exitcode(status), "failed")
        time.sleep(0.002)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hung"


@needs_fork
@pytest.mark.parametrize("case", [TEAM, HEAVY], ids=["team", "heavy"])
def test_a_child_of_fork_trains_the_same_bits(case: Case, restore_threads: None) -> None:
    cr.set_num_threads(3)
    expected = trained(case, 300, epochs=4)  # the team is awake when the child comes

    def action() -> bool:
        cr.set_num_threads(2)
        model = make_model(case)
        model.train(*make_data(case, 300), epochs=4)
        model.predict(make_data(case, 300)[0])
        return cr.get_num_threads() == 1 and same(all_arrays(model), expected)

    assert in_child(action) == "right"
    assert_equal(trained(case, 300, epochs=4), expected)  # the parent's team still works


@needs_fork
@pytest.mark.parametrize("way", WAYS)
def test_a_child_forked_in_mid_training_goes_on_alone(way: str, restore_threads: None) -> None:
    cr.set_num_threads(2)
    X, y = make_data(TEAM, 200)
    model = make_model(TEAM)
    results: list[str] = []
    with going(way):
        middle = trained(TEAM, 200, epochs=5)
        expected = trained(TEAM, 200, epochs=8)

        def act(model: Any, epoch: int) -> None:
            def action() -> bool:
                before = same(all_arrays(model), middle)
                model.train(X, y, epochs=3)
                return before and same(all_arrays(model), expected)

            if epoch == 5:
                results.append(in_child(action))

        model.train(X, y, epochs=8, callbacks=Each(act))
    assert results == ["right"]
    assert_equal(all_arrays(model), expected)


@needs_fork
def test_a_child_forked_while_another_thread_trains_is_free(restore_threads: None) -> None:
    cr.set_num_threads(2)
    expected = trained(TEAM, 200, epochs=4)
    busy = make_model(HEAVY)
    begun = threading.Event()
    worker = threading.Thread(
        target=lambda: busy.train(
            *make_data(HEAVY, 300), epochs=40, callbacks=Each(lambda *_: begun.set())
        )
    )
    worker.start()
    assert begun.wait(60)

    def action() -> bool:
        return same(trained(TEAM, 200, epochs=4), expected)

    answer = in_child(action)
    busy.stop_training = True
    worker.join(timeout=60)
    assert answer == "right"


# In processes of their own: what a child may do depends on what has been before it.


def forking(code: str, *arguments: object) -> list[str]:
    return run_script(FORKING + code, *arguments)


@functools.cache
def parameters() -> str:
    """What `heavy` comes to, by one thread."""
    return run_script("print(heavy(1)[1])")[0]


def in_team(threads: int) -> list[str]:
    """What `tell` prints where there is a team."""
    return [str(threads), str(threads - 1), parameters()]


def alone() -> list[str]:
    return ["1", "0", parameters()]


@pytest.mark.several_threads
@needs_fork
@needs_proc
@pytest.mark.parametrize(
    "before", ["import chainrule", "heavy(1)", "train(4, 8, 3, n=20, threads=3, epochs=500)"]
)
def test_a_child_of_a_parent_without_teams_has_one(before: str) -> None:
    code = f"{before}\nin_child(lambda: tell(3))\nin_child(tell)\ntell()"
    assert forking(code) == in_team(3) + in_team(2) + in_team(2)


@pytest.mark.several_threads
@needs_fork
@needs_proc
def test_a_child_stays_alone_after_a_team_of_its_parent_and_says_so() -> None:
    code = "heavy(2)\nin_child(lambda: tell(4))\ntell(2)"
    assert forking(code) == [*alone(), "2", "0", parameters()]  # the parent's team was there


@pytest.mark.several_threads
@needs_fork
@needs_proc
def test_a_child_of_a_child_stays_alone_if_one_of_those_before_it_had_a_team() -> None:
    first = "def second(): in_child(tell); tell(); in_child(tell)\nin_child(second)\n"
    assert forking("import chainrule\n" + first) == in_team(2) + in_team(2) + alone()
    assert forking("heavy(2)\n" + first) == 3 * alone()


@needs_fork
@needs_proc
def test_a_team_in_any_thread_leaves_children_alone() -> None:
    code = """
worker = threading.Thread(target=heavy, args=(2,))
worker.start()
worker.join()
in_child(tell)
"""
    assert forking(code) == alone()


@needs_fork
@needs_proc
def test_a_team_that_another_library_had_in_the_thread_that_forks_leaves_children_alone() -> None:
    code = "import chainrule\nteam_of_somebody_else()\nin_child(tell)\ntell()"
    assert forking(code, openmp_library()) == [*alone(), "2", "0", parameters()]


@needs_fork
@needs_proc
def test_a_team_that_another_library_had_elsewhere_did_not_come_along() -> None:
    code = """
import chainrule
done, leave = threading.Event(), threading.Event()

def elsewhere():
    team_of_somebody_else()
    done.set()
    leave.wait(60)

worker = threading.Thread(target=elsewhere)
worker.start()
done.wait(60)
in_child(tell)
leave.set()
"""
    assert forking(code, openmp_library()) == in_team(2)


@needs_fork
@needs_proc
def test_loaded_after_the_fork_it_asks_what_was_before() -> None:
    code = "in_child(tell)\nteam_of_somebody_else()\nin_child(tell)\ntell()"
    before, after, parent = in_team(2), alone(), ["2", "0", parameters()]
    assert forking(code, openmp_library()) == before + after + parent


@pytest.mark.several_threads
@needs_fork
@needs_proc
def test_a_pool_of_processes_may_use_teams() -> None:
    code = """
import multiprocessing
import chainrule
with multiprocessing.get_context("fork").Pool(2) as pool:
    for found in pool.map(heavy, [1, 2, 1, 2], chunksize=4): print(*found)
"""
    assert forking(code) == [w for n in "0100" for w in (n, parameters())]
