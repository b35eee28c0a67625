"""The same bits for any number of threads, for every fused CPU target, and in every run."""

from __future__ import annotations

import pytest

import chainrule
import kernel_hashes
from chainrule import _core as core
from other_process import both_fused_targets, differences, hashes_of_target


def test_bits_do_not_depend_on_the_number_of_threads(restore_threads: None) -> None:
    chainrule.set_num_threads(1)
    alone = kernel_hashes.hashes(large=True)
    for threads in (2, 3, 8):
        chainrule.set_num_threads(threads)
        shared = kernel_hashes.hashes(large=True)
        assert differences(alone, shared) == []


def test_bits_do_not_depend_on_the_fused_target() -> None:
    first, second = (hashes_of_target(kernel_hashes, target) for target in both_fused_targets())
    assert differences(first, second) == []


def test_bits_are_the_same_in_another_process() -> None:
    other = hashes_of_target(kernel_hashes, core.cpu_target())
    assert differences(kernel_hashes.hashes(), other) == []


@pytest.mark.parametrize("caches", ["4,16", "512,65536"])
def test_bits_do_not_depend_on_the_caches(caches: str) -> None:
    other = hashes_of_target(kernel_hashes, core.cpu_target(), "large", CHAINRULE_CACHES=caches)
    assert differences(kernel_hashes.hashes(large=True), other) == []
