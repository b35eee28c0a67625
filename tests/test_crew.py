"""A crew without a net: who works, and when. crew.cpp is the program, one scenario a run."""

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
    flags = ["-std=c++17", "-O2", "-fopenmp", f"-I{ROOT / 'cpp'}"]
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
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def sizes(program: Path, scenario: str, threads: int) -> list[int]:
    """How many worked in each turn; every item had one worker in each."""
    complete, *each = words(program, scenario, threads)
    assert complete == "complete"
    return [int(size) for size in each]


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("scenario", ["divided", "slower", "mixed"])
def test_every_item_has_one_worker_in_each_turn_whoever_comes_and_goes(
    program: Path, scenario: str, threads: int
) -> None:
    found = sizes(program, scenario, threads)
    assert len(found) == 150
    assert found[0] == 1 and set(found) <= {1, threads}


def test_a_team_stays_where_it_pays(program: Path) -> None:
    found = sizes(program, "divided", 2)
    assert found[-50:].count(2) >= 40


def test_a_team_that_is_slower_is_sent_away(program: Path) -> None:
    found = sizes(program, "slower", 2)
    came = found.index(2)
    assert 1 in found[came : came + 20]
    assert found.count(2) < 50


def test_turns_of_another_kind_do_not_judge_a_team(program: Path) -> None:
    found = sizes(program, "mixed", 2)
    assert found[-50:].count(2) >= 40


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_work_that_is_worth_it_begins_in_a_team(program: Path, threads: int) -> None:
    assert sizes(program, "at_once", threads) == [threads] * 100


@pytest.mark.parametrize("threads", [1, 2])
def test_the_clock_ends_a_run_with_a_whole_turn(program: Path, threads: int) -> None:
    *seconds, complete = words(program, "ended_by_clock", threads)[:4]
    assert complete == "complete"
    assert all(float(each) >= 0.03 for each in seconds)
    assert min(map(float, seconds)) < 0.06


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_worker_flushes_subnormal_numbers_in_a_run_alone(program: Path, threads: int) -> None:
    assert words(program, "subnormals", threads) == ["1"] * (1 + threads)
