"""Signals between steps: held back, answered once, never lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.interrupts import Interrupts


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


class Alarm(Exception):
    """What a handler of the user's own raises."""


def ring(*_: object) -> None:
    raise Alarm


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


def trained_net(engine: str) -> tuple[cr.Model, Any, Any]:
    rng = np.random.default_rng(5)
    model = cr.Model()
    model.add(cr.Layer_Dense(4, 8, rng=1))
    model.add(cr.Activation_ReLU())
    model.add(cr.Layer_Dropout(0.8, rng=2))
    model.add(cr.Layer_Dense(8, 2, rng=3))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_Adam(0.01))
    if engine == "classes":
        model.optimizer = Own_Adam(0.01)
    return model, rng.standard_normal((12, 4)), rng.standard_normal((12, 2))


class Own_Adam(cr.Optimizer_Adam):
    """A class of the user's own: layer by layer."""

    def pre_update_params(self) -> None:
        super().pre_update_params()


def steps_of(model: cr.Model) -> set[int]:
    """Return what every count of the training says of the steps done."""
    first, _, dropout, last = model.layers
    counts = [layer.optimizer_steps.values() for layer in (first, last)]
    return {model.optimizer.iterations, dropout.step, *counts[0], *counts[1]}


CALLS: dict[str, Callable[[cr.Model, Any, Any], Any]] = {
    "train": lambda model, X, y: model.train(X, y, epochs=3, batch_size=5),
    "train with validation": lambda model, X, y: model.train(
        X, y, epochs=2, batch_size=5, validation_data=(X, y)
    ),
    "train_on_batch": lambda model, X, y: model.train_on_batch(X, y),
    "get_parameters": lambda model, X, y: model.get_parameters(),
    "apply_gradients": lambda model, X, y: model.apply_gradients(model.gradients(X, y)[1]),
}


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


def interrupted(call: Callable[[], Any], place: int) -> tuple[bool, int]:
    """Run a call with a signal at its `place`-th instruction; tell whether it raised, and count."""
    left = place

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if "chainrule" in frame.f_code.co_filename and event == "opcode":
            left -= 1
            if left == 0:
                sys.settrace(None)
                press()
        return trace

    try:
        sys.settrace(trace)
        try:
            call()
        finally:
            sys.settrace(None)
    except KeyboardInterrupt:
        return True, place - left
    return False, place - left
