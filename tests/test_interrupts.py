"""Ctrl-C between steps: held back, answered once, never lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

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
