"""A crew without a net: who works, and when. crew.cpp is the program, one scenario a run.

Time in it is what the turns say, so that a trial ends as it should on a busy machine too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMPILER = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
PARTS = ("crew", "team", "shares", "cores", "grants", "forks", "memory")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not (ROOT / "cpp").is_dir(), reason="needs a C++ compiler and the sources"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crew") / "crew"
    sources = [ROOT / "tests" / "crew.cpp", *(ROOT / f"cpp/runtime/{part}.cpp" for part in PARTS)]
    # the virtual clock stands in front of the core's own
    flags = ["-std=c++17", "-O2", "-fopenmp", f"-I{ROOT / 'tests/virtual'}", f"-I{ROOT / 'cpp'}"]
    done = subprocess.run(
        [str(COMPILER), *flags, *map(str, sources), "-o", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return path


def words(program: Path, scenario: str, threads: int) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "CHAINRULE_"))}
    run = subprocess.run(
        [str(program), scenario, str(threads)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def sizes(program: Path, scenario: str, threads: int) -> tuple[list[int], list[int]]:
    """How many worked in each of the turns before a team came, and in the 100 from then on.

    Every item had one worker in each.
    """
    complete, *each = words(program, scenario, threads)
    assert complete == "complete"
    return [int(size) for size in each[:-100]], [int(size) for size in each[-100:]]


@pytest.mark.parametrize("scenario", ["divided", "slower", "mixed", "at_once"])
def test_one_thread_has_all_turns_alone(program: Path, scenario: str) -> None:
    before, after = sizes(program, scenario, 1)
    assert set(before) <= {1} and after == [1] * 100


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_one_thread_goes_first_and_a_team_stays_where_it_pays(program: Path, threads: int) -> None:
    before, after = sizes(program, "divided", threads)
    assert len(before) >= 2 and set(before) == {1}  # turns of 1 ms: a team is called after 2 ms
    assert after == [threads] * 100


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_a_team_that_is_slower_is_sent_away(program: Path, threads: int) -> None:
    """Four times as slow: after two trials, of a turn each, the mean of trials says so."""
    before, after = sizes(program, "slower", threads)
    assert set(before) == {1}
    assert after == [threads] * 2 + [1] * 98


@pytest.mark.parametrize("threads", [2, 3])
def test_turns_of_another_kind_do_not_judge_a_team(program: Path, threads: int) -> None:
    assert sizes(program, "mixed", threads)[1] == [threads] * 100
    assert sizes(program, "mixed_alike", threads)[1][-50:] == [1] * 50  # where they do


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_work_that_is_worth_it_begins_in_a_team(program: Path, threads: int) -> None:
    assert sizes(program, "at_once", threads) == ([], [threads] * 100)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_clock_ends_a_run_with_the_turn_in_progress(program: Path, threads: int) -> None:
    """Turns of 0.7 ms, whoever does them: 43 are the first to take 30 ms."""
    assert words(program, "ended_by_clock", threads) == [
        *("0.0301", "43"),
        *("0.0301", "86"),
        *("0.0301", "129"),
        "complete",
    ]


def test_short_turns_seldom_read_the_clock(program: Path) -> None:
    """Reading takes some 40 ns: at most a hundredth of the time, 10000 turns of 100 ns."""
    (reads,) = words(program, "short_turns", 1)
    assert 0 < int(reads) <= 0.01 * 10000 * 100 / 40


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_worker_flushes_subnormal_numbers_within_a_run(program: Path, threads: int) -> None:
    assert words(program, "subnormals", threads) == ["1"] * (1 + threads)
