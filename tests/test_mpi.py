"""Training on several ranks of MPI: equal bits on all of them, and what one process would do.

The ranks run mpi_cases.py by mpiexec; a job runs many cases, since starting one takes a second.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import mpi_cases
from chainrule.mpi.ranks import let_launcher_read, unread
from tolerance import gamma, unit

HERE = Path(__file__).parent
GUARD = 120  # seconds: only a job that hangs takes as long


def launcher() -> str:
    """The mpiexec beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("no mpiexec: pip install mpich")
    return found


@functools.cache
def fault_of_mpi() -> str:
    """Why MPI cannot be used here; nothing where it can. It is tried in another process."""
    code = "from mpi4py import MPI"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=GUARD
    )
    return run.stderr.strip().splitlines()[-1] if run.returncode else ""


def skip_without_mpi() -> None:
    if fault_of_mpi():
        pytest.skip(f"needs MPI: pip install mpi4py mpich; {fault_of_mpi()}")


def launch(
    ranks: int,
    *cases: str,
    program: Path | None = HERE / "mpi_cases.py",
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program on so many ranks of one thread each, in a folder; None: Python's own words."""
    skip_without_mpi()
    paths = [str(Path(cr.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(each for each in paths if each),
        "OMP_NUM_THREADS": "1",
    }
    for name in [each for each in environment if each.startswith(("PMI_", "PMIX_", "HYDRA_"))]:
        del environment[name]
    words = [*([] if program is None else [str(program)]), *cases]
    command = [launcher(), "-n", str(ranks), sys.executable, *words]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=GUARD
    )


def answers_of(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line for line in run.stdout.splitlines() if line.startswith("ANSWER ")]
    answers: list[dict[str, Any]] = json.loads(lines[0].removeprefix("ANSWER "))
    return answers


@functools.cache
def answers(ranks: int) -> list[dict[str, Any]]:
    """What each rank has found in the cases of one job."""
    cases = ["sums", "deterministic"]
    cases += {1: ["sharded"], 2: ["sharded", "local"], 3: ["callbacks", "regression"]}.get(
        ranks, ["sharded", "local"]
    )
    found = answers_of(launch(ranks, *cases))
    assert len(found) == ranks
    return found


def without(answer: Any, name: str) -> Any:
    """An answer that is a dict, without one of its values."""
    return {key: value for key, value in answer.items() if key != name}


# --- one process ----------------------------------------------------------------------------------


def alone(
    dtype: str, parameters: Any = None, network: Any = mpi_cases.network, **options: Any
) -> Any:
    model = network(dtype)
    if parameters is not None:
        model.set_flat_parameters(parameters)
    history = model.train(*mpi_cases.samples(), **mpi_cases.settings(**options))
    return model, history


def drift(model: Any, history: Any, twin: Any, twins: Any) -> dict[str, float]:
    """How far two trainings are apart: the parameters, and each column of the history."""
    columns = [name for name in history.recorded() if name != "seconds"]
    found = {name: float(np.abs(history[name] - twins[name]).max()) for name in columns}
    found["parameters"] = float(np.abs(model.flat_parameters() - twin.flat_parameters()).max())
    return found


def tolerances(network: Any = mpi_cases.network, **options: Any) -> dict[str, float]:
    """How far roundings may move a training in float64.

    As far as those of float32 move the same training from the same parameters, times the ratio of
    the unit roundoffs. The factor 16 is for the luck of single roundings; a count of right
    predictions, which moves by jumps, gets none: a jump of it in float64 would need a logit within
    roundings of another one.
    """
    start = network("float32").flat_parameters()
    one = alone("float64", start, network, **options)
    two = alone("float32", start, network, **options)
    ratio = 16 * unit(np.float64) / unit(np.float32)
    least = 16 * gamma(mpi_cases.N, np.float64)  # of the sums over samples themselves
    return {name: max(ratio * value, least) for name, value in drift(*one, *two).items()}


def assert_agrees(told: dict[str, Any], model: Any, history: Any, limits: dict[str, float]) -> None:
    np.testing.assert_allclose(
        told["parameters"], model.flat_parameters(), rtol=0, atol=limits["parameters"]
    )
    for name, column in told["history"].items():
        limit = limits[name] if "accuracy" not in name else gamma(mpi_cases.N, np.float64)
        np.testing.assert_allclose(column, history[name], rtol=0, atol=limit, err_msg=name)
    assert told["best"] == history.best_epoch
    assert told["iterations"] == model.optimizer.iterations
    counts = [[each.key, each.step] for each in model.layers if hasattr(each, "key")]
    assert told["dropout"] == counts


CASES = [{}, {"accumulate": 3, "drop_last": True, "best_epoch": "loss"}]
CASES += [{"sample_weight": None, "shuffle": False}]


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_ranks_agree_to_the_bit_and_with_one_process_to_rounding(ranks: int, case: int) -> None:
    found = [each["sums"][case] for each in answers(ranks)]
    assert all(each == found[0] for each in found)
    limits = tolerances(**CASES[case])
    assert_agrees(found[0], *alone("float64", **CASES[case]), limits)


@pytest.mark.parametrize("case", [0, 2])
def test_one_rank_gives_the_bits_of_train(case: int) -> None:
    model, history = alone("float64", **CASES[case])
    assert answers(1)[0]["sums"][case]["fingerprint"] == model.fingerprint()
    assert answers(1)[0]["sums"][case]["history"]["data_loss"] == history.data_loss.tolist()


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_deterministic_bits_do_not_depend_on_the_number_of_ranks(ranks: int) -> None:
    one = [without(each, "seconds") for each in answers(1)[0]["deterministic"]]
    for rank in answers(ranks):
        assert [without(each, "seconds") for each in rank["deterministic"]] == one


def test_a_deterministic_training_is_that_of_one_process_to_rounding() -> None:
    found = answers(1)[0]["deterministic"][2]
    options = {"batch_size": 2, "epochs": 1}
    assert_agrees(found, *alone("float64", **options), tolerances(**options))


# --- rows of their own ----------------------------------------------------------------------------


def in_order_of(counts: list[int]) -> Any:
    """All rows evenly mixed: row i of n stands at (i + 1/2) / n."""
    shares = [(np.arange(count) + 0.5) / count for count in counts if count]
    return np.argsort(np.concatenate(shares), kind="stable")


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_with_rows_of_their_own_train_as_one_process_with_all(ranks: int) -> None:
    X, y = mpi_cases.samples()
    counts = [100, 3, 0, 100][:ranks]
    counts[0] += mpi_cases.N - sum(counts)
    spreads = [counts, [mpi_cases.N, 0, 0, 0][:ranks]]
    for place, found in enumerate(zip(*(each["sharded"] for each in answers(ranks)), strict=True)):
        assert all(each == found[0] for each in found)
        shuffles = place % 2 == 0
        options: dict[str, Any] = {} if shuffles else {"sample_weight": None, "shuffle": False}
        order = slice(None) if shuffles else in_order_of(spreads[place // 2])
        ends = []
        for dtype in ("float64", "float32"):
            model = mpi_cases.network(dtype, dropout=0.0)
            model.set_flat_parameters(mpi_cases.network("float32", dropout=0.0).flat_parameters())
            history = model.train(X[order], y[order], **mpi_cases.settings(**options))
            ends += [model, history]
        ratio = 16 * unit(np.float64) / unit(np.float32)
        least = 16 * gamma(mpi_cases.N, np.float64)
        limits = {name: max(ratio * each, least) for name, each in drift(*ends).items()}
        model = mpi_cases.network("float64", dropout=0.0)
        history = model.train(X[order], y[order], **mpi_cases.settings(**options))
        assert_agrees(found[0], model, history, limits)


def test_an_accuracy_learns_from_the_targets_of_all_ranks() -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((90, 3))
    y = X @ rng.standard_normal((3, 1)) * 100
    found = [each["regression"] for each in answers(3)]
    assert all(each == found[0] for each in found)
    expected = np.std(y) / 250
    assert abs(found[0]["precision"] - expected) <= gamma(90 + 8, np.float64) * expected


# --- the loop -------------------------------------------------------------------------------------


def test_callbacks_run_on_every_rank_and_only_rank_0_prints() -> None:
    found = [each["callbacks"] for each in answers(3)]
    assert all(each == found[0] for each in found)
    losses = found[0]["history"]["validation_loss"]
    assert found[0]["losses"] == losses
    stopping, notes = cr.EarlyStopping(patience=2), mpi_cases.Notes()
    model = mpi_cases.network()
    every = mpi_cases.settings(epochs=12, callbacks=[notes, stopping])
    history = model.train(*mpi_cases.samples(), **every)
    assert len(history) == len(losses) and found[0]["stopped"] == stopping.stopped_epoch


def test_lines_and_the_bar_come_from_rank_0(tmp_path: Path) -> None:
    run = launch(2, "callbacks")
    answers_of(run)
    assert run.stdout.count("epoch: 1\n") == 1
    assert run.stderr == ""


@pytest.mark.parametrize("ranks", [2, 4])
def test_local_sgd_gives_equal_parameters_and_learns(ranks: int) -> None:
    found = [each["local"] for each in answers(ranks)]
    assert all(each == found[0] for each in found)
    for each in found[0]:
        loss = each["history"]["data_loss"]
        assert loss[-1] < loss[0]
    assert found[0][0]["fingerprint"] != found[0][1]["fingerprint"]


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_mean_after_every_step_of_sgd_is_the_step_of_the_whole_batch(ranks: int) -> None:
    found = answers(ranks)[0]["local"][0]
    limits = tolerances(mpi_cases.local_network, clip_norm=None)
    model, _ = alone("float64", network=mpi_cases.local_network, clip_norm=None)
    np.testing.assert_allclose(
        found["parameters"], model.flat_parameters(), rtol=0, atol=limits["parameters"]
    )
    assert found["iterations"] == model.optimizer.iterations


# --- checkpoints and ends -------------------------------------------------------------------------


def test_a_killed_job_goes_on_with_the_same_bits_on_another_number_of_ranks(
    tmp_path: Path,
) -> None:
    whole = answers_of(launch(2, "checkpointed", folder=tmp_path))[0]["checkpointed"]
    killed = launch(3, "killed", folder=tmp_path)
    assert killed.returncode != 0
    assert [each.name for each in tmp_path.glob("killed*")] == ["killed.safetensors"]
    resumed = answers_of(launch(4, "resumed", folder=tmp_path))
    for each in resumed:
        found = each["resumed"]
        assert found["fingerprint"] == whole["fingerprint"]
        assert found["iterations"] == whole["iterations"]
        for name, column in found["history"].items():
            assert column == whole["history"][name][2:]


def test_a_rank_that_dies_ends_the_job() -> None:
    run = launch(2, "dies")
    assert run.returncode != 0 and "ANSWER" not in run.stdout


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("raises", "LookupError: the data of rank 1 are gone"),
        ("raises_at_length", "the last of the missing rows"),
        ("fails", "MemoryError: rank 1 has no room"),
    ],
)
def test_an_error_of_one_rank_ends_the_job_with_its_text(case: str, text: str) -> None:
    run = launch(3, case)
    assert run.returncode != 0 and "ANSWER" not in run.stdout
    assert text in run.stderr


def test_what_a_launcher_has_not_read_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with open(writer, "w") as stream, open(reader, "rb", buffering=0) as launcher_end:
        print("the text of an error", file=stream)
        monkeypatch.setattr(sys, "stderr", stream)
        let_launcher_read(seconds=0)  # nobody reads: it gives up
        assert unread(stream) == len("the text of an error\n")
        thread = threading.Thread(target=lambda: launcher_end.read(100))
        thread.start()
        let_launcher_read()
        assert unread(stream) == 0
        thread.join()


@functools.cache
def errors() -> list[dict[str, Any]]:
    return [each["errors"] for each in answers_of(launch(3, "errors"))]


@pytest.mark.parametrize(
    ("name", "text", "state"),
    [
        ("labels", "y: label 4 at index 7: expected 0 to 3", "unchanged"),
        ("batch", "batch_size: expected the same on all ranks of MPI, got 50, 51, 52", "unchanged"),
        ("callback", "[Errno 28] No space left on device", "changed"),
        ("drift", "callbacks: expected the same parameters and learning rate", "changed"),
        ("hooks", "callbacks: expected the same on all ranks of MPI", "unchanged"),
        ("record", "record: expected None on ranks of MPI", "unchanged"),
        ("split", "validation_split: expected validation_data with sharded=True", "unchanged"),
        ("loss", "epoch 1, step 0: expected a finite loss", "unchanged"),
    ],
)
def test_an_error_that_all_ranks_know_of_is_raised_on_all(name: str, text: str, state: str) -> None:
    for rank, found in enumerate(errors()):
        kind, message, after = found[name]
        assert text in message and after == state
        if name in ("labels", "callback") and rank != 1:
            assert kind == "RuntimeError" and message.startswith("rank 1: ")


def test_ranks_go_on_after_an_error() -> None:
    assert [found["fine"][0] for found in errors()] == ["", "", ""]


def test_the_pages_code_runs_on_two_ranks(tmp_path: Path) -> None:
    page = HERE.parent / "docs/scale.md"
    if not page.is_file():
        pytest.skip("not a whole checkout")
    blocks = re.findall(r"```py\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    code = [block for block in blocks if "DataParallel(" in block]
    assert len(code) == 3
    script = tmp_path / "train.py"
    script.write_text("\n".join(code), encoding="utf-8")
    run = launch(2, program=script, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("History(5 epochs") == 1
    assert {"model.safetensors", "run.safetensors"} <= {each.name for each in tmp_path.iterdir()}


# --- arguments ------------------------------------------------------------------------------------


def test_arguments_that_do_not_fit_are_refused() -> None:
    skip_without_mpi()
    from chainrule.mpi import DataParallel
    from chainrule.mpi.parallel import checked_shards

    model = mpi_cases.network()
    for call, text in [
        (lambda: DataParallel(model, deterministic=True, sharded=True), "sharded=False"),
        (lambda: DataParallel(model, deterministic=2, local_steps=3), "no local_steps"),
        (lambda: DataParallel(model, local_steps=0), "local_steps: expected an int of at least 1"),
        (lambda: checked_shards(-1), "deterministic: expected an int of at least 1"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError, match="comm: expected an mpi4py intracommunicator, got 3"):
        model.train(*mpi_cases.samples(), comm=3)


def commanded(ranks: int, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `chainrule train` on a table in the folder."""
    mpi = ["--mpi"] if ranks > 1 else []
    command = ["-m", "chainrule", "train", "table.csv", "--target", "y", "--epochs", "6"]
    return launch(ranks, *command, *words, *mpi, program=None, folder=folder)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A folder with a table, whose target follows two columns and a word."""
    pytest.importorskip("sklearn")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    words = rng.choice(list("abc"), len(X))
    y = np.where(X[:, 0] + X[:, 1] ** 2 + (words == "a") > 1, "yes", "no")
    frame = pandas.DataFrame(X, columns=list("pqr")).assign(word=words, y=y)
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def test_the_command_trains_members_on_ranks_with_the_bits_of_one_process(table: Path) -> None:
    files, reports = [], []
    for ranks in (1, 2, 4):  # of which one has no member
        name = f"{ranks}.safetensors"
        run = commanded(ranks, table, "--ensemble", "3", "--seed", "5", "-q", "-o", name)
        assert run.returncode == 0, run.stderr
        assert run.stdout == run.stderr == ""
        files.append((table / name).read_bytes())
    assert files[1] == files[0] == files[2]
    for ranks in (1, 2):
        run = commanded(ranks, table, "--ensemble", "3", "--seed", "5")
        lines = [line for line in run.stdout.splitlines() if not line.startswith("member ")]
        reports.append([line for line in lines if not line.startswith("trained ")])
    assert reports[0] == reports[1] and len(reports[0]) > 10


@pytest.mark.parametrize("preset", ["small", "default"])
def test_the_command_trains_one_net_on_ranks_as_one_process_to_rounding(
    table: Path, preset: str
) -> None:
    from chainrule.layers.parameters import slots_of
    from chainrule.sklearn import load_estimator

    for ranks in (1, 2):
        name = f"{ranks}.safetensors"
        run = commanded(ranks, table, "--preset", preset, "-o", name)
        assert run.returncode == 0, run.stderr
        assert run.stdout.count("Scores on") == 1
    one, two = (load_estimator(table / f"{ranks}.safetensors").members_[0] for ranks in (1, 2))
    # six epochs of one step: equal to some roundings of the learning rate's steps
    for here, there in zip(one.models[0].layers, two.models[0].layers, strict=True):
        for slot in slots_of(here):
            found = [getattr(each, slot.name) for each in (here, there)]
            np.testing.assert_allclose(*found, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--preset", "tabm-mini"], "--mpi: expected --ensemble of at least 2, whose members"),
        (["--ensemble", "2", "--drop", "word,p,q,r"], "expected a column beside the target"),
        (["--ensemble", "2", "--validation-fraction", "2"], "validation_fraction: expected"),
    ],
)
def test_what_the_command_cannot_do_is_told_once(table: Path, words: list[str], text: str) -> None:
    run = commanded(3, table, *words)
    assert run.returncode == 2, run.stderr
    assert run.stderr.count(text) == 1 and not (table / "model.safetensors").exists()


def test_members_that_fail_on_a_rank_are_told_on_all() -> None:
    pytest.importorskip("sklearn")
    for rank, each in enumerate(answers_of(launch(3, "members"))):
        kind, message = each["members"]
        if rank == 1:
            assert (kind, message) == ("MemoryError", "member 1 has no room")
        else:
            assert (kind, message) == ("RuntimeError", "rank 1: MemoryError: member 1 has no room")
