"""Signals between steps: held back, answered once, never lost."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.training.interrupts import Interrupts
from hard.signals import CALLS, Alarm, ring, steps_of, trained_net


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_waits_for_the_answer() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        press()
        reached = True
        interrupts.answer()
        reached = False
    assert reached and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_after_the_last_answer_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupts.answer()
        press()


def test_the_second_signal_acts_at_once() -> None:
    count = 0
    with pytest.raises(KeyboardInterrupt), Interrupts():
        for _ in range(3):
            press()
            count += 1
    assert count == 1


def test_in_a_callback_a_signal_acts_at_once_and_is_held_again_after() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.at_once():
            press()
            raise AssertionError("not reached")
        press()
        interrupts.answer()
        raise AssertionError("not reached")


def test_a_handler_of_the_users_own_is_the_one_that_answers() -> None:
    numbers: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: numbers.append(number))
    try:
        with Interrupts() as interrupts:
            press()
            assert numbers == []
            interrupts.answer()
            assert numbers == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_and_ignored_signals_are_left_alone() -> None:
    def within(check: Callable[[], None]) -> None:
        with Interrupts() as interrupts:
            interrupts.answer()
            check()

    handler = signal.getsignal(signal.SIGINT)
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            within(lambda: None)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors == [] and signal.getsignal(signal.SIGINT) is handler
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        within(press)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def alarm() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def raise_alarm() -> None:
    os.kill(os.getpid(), signal.SIGALRM)


def test_any_signal_waits_for_the_answer(alarm: None) -> None:
    reached = 0
    with pytest.raises(Alarm), Interrupts() as interrupts:
        for _ in range(3):
            raise_alarm()
            reached += 1
        interrupts.answer()
        raise AssertionError("not reached")
    assert reached == 3 and signal.getsignal(signal.SIGALRM) is ring


def test_of_two_signals_both_are_answered(alarm: None) -> None:
    with pytest.raises((Alarm, KeyboardInterrupt)) as caught, Interrupts():
        raise_alarm()
        press()
    kinds = {type(caught.value), type(caught.value.__context__)}
    assert kinds == {Alarm, KeyboardInterrupt}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_a_callback_sets_is_kept(alarm: None) -> None:
    with Interrupts() as interrupts:
        with interrupts.at_once():
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        raise_alarm()
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN


# A signal at each instruction: what the guards do is over before the next one


@pytest.mark.parametrize("engine", ["plan", "classes"])
@pytest.mark.parametrize("call", list(CALLS))
def test_a_signal_at_any_instruction_leaves_whole_steps_and_a_usable_model(
    call: str, engine: str
) -> None:
    """At one of the package's instructions comes a signal, whose handler raises."""
    model, X, y = trained_net(engine)
    CALLS["train_on_batch"](model, X, y)  # makes all counts
    CALLS[call](model, X, y)  # later ones go a shorter way
    total = interrupted(lambda: CALLS[call](model, X, y), 0)[1]
    came = 0
    for place in np.random.default_rng(7).integers(1, total, PLACES):
        came += interrupted(lambda: CALLS[call](model, X, y), int(place))[0]
        done = steps_of(model)
        assert len(done) == 1 if call != "apply_gradients" else len(done) <= 2, place
        if len(done) == 2:  # the gradients were made, and not yet spent
            model.layers[2].step = model.optimizer.iterations
        assert model.__dict__.get("_owner") is None
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert came > PLACES // 2
    CALLS[call](model, X, y)


PLACES = 16


def test_a_signal_at_any_instruction_about_a_callback_puts_the_handlers_back() -> None:
    """Those of the standard library too; nothing that is collected later holds signals back."""

    def call() -> None:
        with Interrupts() as interrupts:
            with interrupts.at_once():
                pass
            interrupts.answer()

    total = interrupted(call, 0, "")[1]
    assert total > 50
    for place in range(1, total):
        interrupted(call, place, "")
        gc.collect()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, place


def interrupted(call: Callable[[], Any], place: int, where: str = "chainrule") -> tuple[bool, int]:
    """Run a call with a signal at its `place`-th instruction; tell whether it raised, and count."""
    left = place

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if where in frame.f_code.co_filename and event == "opcode":
            left -= 1
            if left == 0:
                sys.settrace(None)
                press()
        return trace

    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks whether any frame wants them first
    try:
        sys.settrace(trace)
        try:
            call()
        finally:
            sys.settrace(None)
    except KeyboardInterrupt:
        return True, place - left
    return False, place - left


# Validations are answered in between


@pytest.mark.parametrize("engine", ["plan", "classes"])
def test_a_long_validation_lets_signals_be_answered(engine: str, monkeypatch: Any) -> None:
    """Some 100 blocks of rows; the clock is looked at between them, here as if always over."""
    from chainrule.training import loop, predicting

    answers: list[bool] = []
    answer = Interrupts.answer

    def counted(self: Interrupts) -> None:
        answers.append(True)
        answer(self)

    monkeypatch.setattr(loop, "STRETCH", 0.0)
    monkeypatch.setattr(predicting, "PIECE", 6_000.0)
    monkeypatch.setattr(Interrupts, "answer", counted)
    model, X, y = trained_net(engine)
    held = np.tile(X, (200, 1)), np.tile(y, (200, 1))
    history = model.train(X, y, validation_data=held)
    assert len(answers) >= 100
    rounding = len(held[0]) * np.finfo(np.float64).eps  # of a sum of so many terms above 0
    expected = pytest.approx(model.evaluate(*held, quiet=True)[0], rel=rounding)
    assert history.validation_loss[-1] == expected


@pytest.mark.parametrize("engine", ["plan", "classes"])
def test_ctrl_c_ends_a_validation_and_leaves_the_steps_before(
    engine: str, monkeypatch: Any
) -> None:
    from chainrule.training import loop, predicting

    monkeypatch.setattr(loop, "STRETCH", 0.0)
    monkeypatch.setattr(predicting, "PIECE", 12_000.0)
    answer, seen = Interrupts.answer, 0

    def pressed(self: Interrupts) -> None:
        nonlocal seen
        seen += 1
        if seen == 20:
            press()
        answer(self)

    model, X, y = trained_net(engine)
    model.train(X, y)
    twin = trained_net(engine)[0]
    twin.train(X, y)
    twin.train(X, y)
    monkeypatch.setattr(Interrupts, "answer", pressed)
    with pytest.raises(KeyboardInterrupt):
        model.train(X, y, validation_data=(np.tile(X, (200, 1)), np.tile(y, (200, 1))))
    np.testing.assert_array_equal(model.layers[0].weights, twin.layers[0].weights)
    assert steps_of(model) == {2} and len(model.history or []) == 0
    model.train(X, y)
