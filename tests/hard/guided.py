"""Inputs that a coverage-guided fuzzer finds: compiled calls and files draw from its bytes.

libFuzzer, through atheris, makes strings of bytes and keeps those that reach new lines of the core
(built by Clang with counters and AddressSanitizer) or of the Python that reads files. The
generators of `arrays` and `files` take their random numbers from such a string. What was kept is in
guided_inputs.json, and the quick form gives all of it to the module that is installed.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hard import arrays, builds, files, races

QUICK, LONG = 1, 1_800  # 1: no more than the inputs that are kept; seconds of each

KEPT = Path(__file__).with_name("guided_inputs.json")
LONGEST = 200  # bytes of an input
MOST = 1_000  # so many of a target are kept, the shortest

# counters are put into the Python of the package as it is imported
FUZZER = """
import sys, atheris
with atheris.instrument_imports(include=["chainrule"]):
    from hard import guided
guided.fuzz(sys.argv[1:])
"""


class Drawn(random.Random):
    """Random numbers that are the bytes of a string, and zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self.data, self.place = data, 0

    def getrandbits(self, k: int) -> int:
        size = (k + 7) // 8
        taken = self.data[self.place : self.place + size]
        self.place += size
        return int.from_bytes(taken.ljust(size, b"\0"), "big") >> (8 * size - k)

    def random(self) -> float:
        return self.getrandbits(8) / 256


def compiled() -> Callable[[bytes], None]:
    """Return what makes the compiled calls that an input stands for."""
    functions, recordings = arrays.core_functions(), arrays.recorded()
    names = sorted(functions)

    def calls(drawn: Drawn) -> Iterator[arrays.Call]:
        if drawn.getrandbits(1):
            yield from arrays.Replay(drawn, recordings).run()
        else:
            name = drawn.choice(names)
            given = arrays.core_arguments(drawn, name, functions[name])
            yield name, functions[name], given, {}

    def run(data: bytes) -> None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for _, function, arguments, named in calls(Drawn(data)):
                try:
                    function(*arguments, **named)
                except arrays.OURS:
                    pass

    return run


def reading(folder: Path) -> Callable[[bytes], None]:
    """Return what reads the file that an input stands for."""
    path = folder / "file"
    good = files.good_files(path)

    def run(data: bytes) -> None:
        drawn = Drawn(data)
        content, read = drawn.choice(good)
        for _ in range(1 + drawn.getrandbits(1)):
            try:
                content = drawn.choice(files.MUTANTS)(drawn, content)
            except (ValueError, KeyError, TypeError, IndexError):  # the first left no header
                break
        path.write_bytes(content)
        with np.errstate(all="ignore"):
            files.taken(path, read)

    return run


def target(name: str, folder: Path) -> Callable[[bytes], None]:
    return compiled() if name == "compiled" else reading(folder)


# --- the long form --------------------------------------------------------------------------------


def found_by_fuzzing(name: str, seconds: int, seed: int, folder: Path) -> list[str]:
    """Fuzz one target; return the inputs worth keeping, as hexadecimal digits.

    Raises
    ------
    AssertionError
        An input has crashed, hung or raised something foreign; with the fuzzer's last words.
    """
    inputs, smallest = folder / name, folder / f"{name}-smallest"
    for each in (inputs, smallest):
        each.mkdir()
    for place, digits in enumerate(json.loads(KEPT.read_text()).get(name, [])):
        (inputs / str(place)).write_bytes(bytes.fromhex(digits))
    program = folder / f"{name}.sh"  # libFuzzer starts itself anew to choose among the inputs
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c \'{FUZZER}\' "$0" "$@"\n')
    program.chmod(0o700)
    limits = [f"-max_len={LONGEST}", "-len_control=0", "-timeout=60", "-rss_limit_mb=6000"]
    limits += [f"-seed={seed}", f"-artifact_prefix={folder}/finding-"]
    variables = sanitized_variables()
    for arguments in (
        [f"-max_total_time={seconds}", str(inputs)],
        ["-merge=1", str(smallest), str(inputs)],
    ):
        done = subprocess.run(
            [str(program), *limits, *arguments],
            env=variables,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        findings = [path.read_bytes().hex() for path in folder.glob("finding-*")]
        said = (done.stdout + done.stderr)[-6000:]
        assert done.returncode == 0 and not findings, f"{name}: {findings} {said}"
    found = sorted((path.read_bytes().hex() for path in smallest.iterdir()), key=len)
    return sorted(found[:MOST])


def sanitized_variables() -> dict[str, str]:
    """Return the variables of a process with AddressSanitizer and the build with counters."""
    import atheris

    folder = builds.package(builds.cmake("guided"))
    return builds.environment(
        Path(os.pathsep.join([str(folder), str(builds.ROOT / "tests")])),
        LD_PRELOAD=str(Path(atheris.path()) / "asan_with_fuzzer.so"),
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=4096",
        HARD_HUGE="65536",
    )


def fuzz(arguments: list[str]) -> None:
    """Hand this process to libFuzzer: a path with the target's name, and libFuzzer's arguments."""
    import atheris

    with tempfile.TemporaryDirectory() as folder:
        run = target(Path(arguments[0]).stem, Path(folder))
        atheris.Setup(arguments, run)
        atheris.Fuzz()


# --- both forms -----------------------------------------------------------------------------------


def replayed() -> int:
    """Give every kept input to the installed module; return how many there are."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, inputs in json.loads(KEPT.read_text()).items():
            run = target(name, Path(folder))
            for digits in inputs:
                run(bytes.fromhex(digits))
                count += 1
    return count


def check(count: int, seed: int) -> str:
    told = f"{replayed()} kept inputs: no finding"
    if count <= QUICK:
        return told
    clang = races.compiler()
    if clang is None or not find_spec("atheris"):
        return f"{told}; fuzzing was not tried: needs clang and atheris"
    os.environ["CXX"] = clang
    kept = json.loads(KEPT.read_text())
    with tempfile.TemporaryDirectory() as folder:
        for name in ("compiled", "files"):
            kept[name] = found_by_fuzzing(name, count, seed, Path(folder))
            KEPT.write_text(json.dumps(kept, indent=0) + "\n")
    sizes = ", ".join(f"{len(inputs)} inputs kept of {name}" for name, inputs in kept.items())
    return f"{told}; {count} s of fuzzing each: no finding, {sizes}"
