"""`chainrule bench`: its workloads, the agreement of all peers, its reports. Nothing is timed."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chainrule.bench import main
from chainrule.bench.agreement import check_steps, checks, compare, fingerprint, reference
from chainrule.bench.command import make_parser, make_settings
from chainrule.bench.comparison import compare_runs, is_slower, read_run
from chainrule.bench.machine import choose_cores, cpu_name
from chainrule.bench.markdown import write_markdown
from chainrule.bench.measurement import Settings, blocks, team
from chainrule.bench.peers import CONTESTANTS, PATHS, PEERS
from chainrule.bench.peers.chainrule_plan import ChainrulePlan
from chainrule.bench.peers.numpy_loop import NumpyLoop
from chainrule.bench.plot import write_plot
from chainrule.bench.process import WorkerFailed, WorkerProcess, environment
from chainrule.bench.report import block_lines, microseconds, summary_lines, table, worst_line
from chainrule.bench.results import Block, Run, Series
from chainrule.bench.workloads import (
    GRID,
    GROUPS,
    JOBS,
    NINE,
    PRACTICES,
    Workload,
    make_task,
    select,
)

TINY = Workload("tiny", (3, 5, 2), "tanh", "half squared error", 12, 4, 0.05)
TINY_CLASSES = Workload("classes", (6, 9, 4), "relu", "softmax cross-entropy", 20, 5, 0.1)
PRACTICE = Workload(
    "practice", (32, 128, 64, 5), "relu", "softmax cross-entropy", 1920, 32, 0.001, "adam",
    "practice", 0.2, True, 240,
)  # fmt: skip
PREDICT = replace(TINY_CLASSES, name="tiny predict", job="predict")
ONLINE = replace(TINY, name="tiny online", batch=1, job="online")
FIRST_CALL = replace(TINY_CLASSES, name="tiny first call", job="first call")


# Workloads


def test_the_nine_are_those_of_the_performance_page():
    table = {w.name: ("-".join(map(str, w.sizes)), w.hidden, w.samples, w.batch) for w in NINE}
    assert table == {
        "sine": ("1-10-1", "tanh", 25, 25),
        "xs": ("4-16-16-2", "tanh", 4096, 32),
        "rl": ("17-64-64-6", "tanh", 8192, 64),
        "spiral": ("2-64-3", "relu", 300, 300),
        "digits": ("64-128-64-10", "relu", 1792, 32),
        "mnist": ("784-128-10", "relu", 8192, 128),
        "tabular": ("100-256-256-256-1", "relu", 16384, 256),
        "wide": ("1024-1024-1024-1024", "relu", 4096, 512),
        "huge": ("4096-4096-4096", "relu", 2048, 1024),
    }
    softmax = {w.name for w in NINE if w.loss == "softmax cross-entropy"}
    assert softmax == {"spiral", "digits", "mnist"}


def test_practice_is_the_four_nets_as_people_train_them():
    table = {w.name: ("-".join(map(str, w.sizes)), w.batch) for w in PRACTICES}
    assert table == {
        "practice-small": ("20-32-32-1", 64),
        "practice-digits": ("64-128-64-10", 32),
        "practice-mnist": ("784-128-10", 128),
        "practice-tabular": ("100-256-256-256-1", 256),
    }
    for w in PRACTICES:
        assert (w.optimizer, w.dropout, w.shuffle) == ("adam", 0.2, True)
        assert w.validation == w.samples / 8


def test_predictions_take_the_nets_of_practice():
    nets = [w.sizes for w in PRACTICES]
    for rows in (1, 1000):
        group = GROUPS[f"predict-{rows}"]
        assert [w.sizes for w in group] == nets
        assert all(w.batch == rows and w.job == "predict" for w in group)


def test_every_job_has_a_workload_and_a_contestant_of_ours():
    assert {w.job for w in GRID} == set(JOBS)
    for job in JOBS:
        assert any(job in c.jobs for c in CONTESTANTS if c.ours)


def test_a_group_stands_for_its_workloads_each_taken_once():
    names = [w.name for w in select(["predict-1-small", "predict-1", "nine", "sine"])]
    group = [w.name for w in GROUPS["predict-1"]]
    assert names == [*group, *(w.name for w in NINE)]


def test_dropout_is_refused_where_zeros_do_not_tell_what_was_dropped():
    with pytest.raises(ValueError, match="dropout: expected relu before it, got tanh"):
        replace(TINY, dropout=0.2)


def test_validation_samples_are_others_than_those_trained():
    task = make_task(PRACTICE, "float32", 1)
    assert task.inputs.shape == (1920, 32) and task.validation.inputs.shape == (240, 32)
    assert task.validation.targets.shape == (240,)
    rows = {row.tobytes() for row in task.inputs}
    assert not rows & {row.tobytes() for row in task.validation.inputs}


def test_flops_of_other_jobs():
    products = 3 * 5 + 5 * 2
    assert replace(TINY, job="predict").flops == 2 * 4 * products
    assert replace(TINY, validation=6).flops == TINY.flops + 2 * 6 * products // 3
    assert replace(TINY, job="first call").flops == 3 * TINY.flops


def test_names_are_unique_and_batches_divide_the_samples():
    assert len({workload.name for workload in GRID}) == len(GRID)
    assert all(workload.samples % workload.batch == 0 for workload in GRID)


def test_grid_holds_the_promised_variants():
    names = {workload.name for workload in GRID}
    batches = {f"{name}-batch{n}" for name in ("digits", "mnist") for n in (1, 8, 1024)}
    others = {"width45", "width46", "width47", "odd", "odd-small"}
    assert batches | others | {"digits-momentum", "digits-adam"} <= names


def test_flops_leave_out_the_first_layers_dinputs():
    # 2 products of 3x5 and 3 of 5x2, each 2 flops a sample
    assert TINY.flops == 4 * 2 * (2 * 15 + 3 * 10)


def test_an_unknown_workload_is_named():
    with pytest.raises(ValueError, match="got nonsense"):
        select(["sine", "nonsense"])


def test_a_task_is_the_same_whenever_it_is_made():
    first, second = make_task(TINY_CLASSES, "float64", 1), make_task(TINY_CLASSES, "float32", 1)
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.targets, second.targets)
    for (a, b), (c, d) in zip(first.parameters, second.parameters, strict=True):
        np.testing.assert_allclose(a, c, rtol=1e-6)
        np.testing.assert_allclose(b, d, rtol=1e-6)


def test_every_class_occurs_in_the_labels():
    for workload in (TINY_CLASSES, *select(["odd"])):
        labels = make_task(workload, "float32", 1).targets
        assert set(labels) == set(range(workload.sizes[-1]))


# Agreement


def test_check_takes_whole_epochs_or_a_part_of_one():
    for workload in GRID:
        steps = check_steps(workload)
        if workload.job in ("practice", "first call"):
            assert steps == workload.steps_per_epoch
            continue
        assert 1 <= steps <= 32
        assert steps <= workload.steps_per_epoch or steps % workload.steps_per_epoch == 0


def test_a_wrong_loss_and_a_wrong_update_are_noticed():
    expected = reference(TINY, "float64")
    assert compare(expected, expected, "float64") == (0.0, "")
    wrong_loss = {**expected, "loss": expected["loss"] * 1.01}
    assert "losses: expected" in compare(wrong_loss, expected, "float64")[1]
    moved = [2 * norm for norm in expected["moved"]]
    assert "moved" in compare({**expected, "moved": moved}, expected, "float64")[1]
    not_a_number = {**expected, "final_loss": float("nan")}
    assert compare(not_a_number, expected, "float64")[1]


def test_wrong_outputs_are_noticed():
    expected = reference(PREDICT, "float32")
    assert len(expected["outputs"]) == 20 * 4
    assert compare(expected, expected, "float32") == (0.0, "")
    moved = [value + 1e-3 for value in expected["outputs"]]
    assert "outputs: relative difference" in compare({"outputs": moved}, expected, "float32")[1]
    fewer = {"outputs": expected["outputs"][4:]}
    assert "expected 80 numbers, got 76" in compare(fewer, expected, "float32")[1]


def problems_of(peer, workload) -> list[str]:
    """What the checks of `workload` say of a peer of this class."""
    problems = []
    for check in checks(workload, "float32"):
        one = peer(make_task(check.workload, "float32", 1))
        one.reset()
        problems.append(check.compare(fingerprint(one, one.run(check.steps)))[1])
    return problems


@pytest.mark.parametrize("peer", [NumpyLoop, ChainrulePlan])
def test_practice_agrees_in_order_and_at_random(peer):
    assert problems_of(peer, PRACTICE) == ["", ""]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_another_dropout_is_noticed(rate):
    class Other(NumpyLoop):
        def __init__(self, task):
            dropout = rate if task.workload.dropout else 0.0
            super().__init__(replace(task, workload=replace(task.workload, dropout=dropout)))

    in_order, at_random = problems_of(Other, PRACTICE)
    assert in_order == "" and at_random.startswith("loss: expected")


def test_validation_with_dropout_is_noticed():
    class Dropping(NumpyLoop):
        def practice(self, epochs):
            loss = super().practice(epochs)
            self.validation_loss *= 1.001
            return loss

    in_order, at_random = problems_of(Dropping, PRACTICE)
    assert in_order.startswith("losses: expected") and at_random.startswith("validation: reports")


def test_parameters_of_another_dtype_are_noticed():
    peer = NumpyLoop(make_task(TINY, "float32", 1))
    peer.reset()
    peer.weights[0] = peer.weights[0].astype(np.float64)
    with pytest.raises(TypeError, match="expected float32, got float64"):
        fingerprint(peer, 0.0)


def measured_names(job: str = "train") -> list[str]:
    """Everybody who does this job and is installed here."""
    return [c.name for c in CONTESTANTS if job in c.jobs and importlib.util.find_spec(c.package)]


@pytest.fixture(scope="module")
def tiny_blocks() -> list[Block]:
    workloads = [
        TINY,
        TINY_CLASSES,
        replace(TINY_CLASSES, name="momentum", optimizer="momentum", rate=0.02),
        replace(TINY, name="one batch", batch=12),
        replace(TINY_CLASSES, name="one sample", batch=1, rate=0.02),
    ]
    settings = Settings(workloads, list(PEERS), list(PATHS), [1], ["float32", "float64"], 1, 0.001)
    with team() as members:
        return list(blocks(settings, members, lambda text: None))


def test_all_installed_peers_compute_the_same(tiny_blocks):
    for block in tiny_blocks:
        problems = {s.name: s.problem for s in block.series if s.problem}
        assert set(problems).isdisjoint(measured_names()), (block.workload.name, problems)
        assert [s.name for s in block.series if s.measured] == measured_names()


@pytest.mark.parametrize("workload", [PRACTICE, PREDICT, ONLINE, FIRST_CALL], ids=lambda w: w.job)
def test_peers_agree_at_the_other_jobs(workload):
    settings = Settings([workload], list(PEERS), list(PATHS), [1], ["float32"], 1, 0.001)
    with team() as members:
        (block,) = blocks(settings, members, lambda text: None)
    expected = measured_names(workload.job)
    if workload.job == "practice" and "sklearn" in expected:
        expected.remove("sklearn")
        sklearn = next(s for s in block.series if s.name == "sklearn")
        assert sklearn.problem == "it has no dropout" and not sklearn.failed
    assert [s.name for s in block.series if s.measured] == expected
    for series in (s for s in block.series if s.measured):
        assert len(series.seconds) == 1 and series.seconds[0] > 0
        assert series.loss_error is not None and series.loss_error <= block.tolerance
    assert any(f"microseconds {workload.unit}" in line for line in block_lines(block))


def test_a_budget_that_is_used_up_leaves_one_round():
    settings = Settings([TINY], ["numpy"], [], [1], ["float32"], 50, 0.001, minutes=1e-6)
    with team() as members:
        (block,) = blocks(settings, members, lambda text: None)
    assert len(block.series[0].seconds) == 1


def test_first_call_is_kept_apart_from_the_samples(tiny_blocks):
    for series in (s for block in tiny_blocks for s in block.series if s.measured):
        assert len(series.seconds) == 1
        assert series.first_call is not None and series.first_call > 0
        assert series.steps >= 1


def test_adam_agrees_and_sklearn_says_why_it_takes_no_part():
    adam = replace(TINY_CLASSES, name="adam", optimizer="adam", rate=0.001)
    choices = ["numpy", "numpy-classes", "sklearn"]
    with team() as members:
        settings = Settings([adam], choices, ["layers"], [1], ["float64"], 1, 0.001)
        (block,) = blocks(settings, members, lambda text: None)
    found = {s.name: s.problem for s in block.series}
    assert not found["numpy"] and not found["numpy-classes"]
    assert not found["chainrule layers"]
    assert "epsilon" in found["sklearn"] or "not installed" in found["sklearn"]


# Processes


def test_a_peer_that_is_not_installed_is_named_with_the_extra(tmp_path, monkeypatch):
    # A module of that name which cannot be imported stands before the real one.
    (tmp_path / "sklearn.py").write_text("raise ImportError('not here')")
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    with team() as members:
        settings = Settings([TINY], ["sklearn"], [], [1], ["float32"], 1, 0.001)
        (block,) = blocks(settings, members, lambda text: None)
    assert block.series[0].problem == (
        "sklearn is not installed; pip install 'chainrule[bench]' brings it"
    )
    assert "sklearn: not measured: sklearn is not installed" in "\n".join(block_lines(block))


def test_a_process_that_dies_is_reported_and_not_waited_for():
    process = WorkerProcess("numpy", 1)
    process._process.kill()
    process._process.wait()
    with pytest.raises(WorkerFailed, match="its process ended"):
        process.ask("about")
    process.end()


def test_peers_processes_hold_nothing_of_chainrule():
    process = WorkerProcess("numpy", 1)
    try:
        about = process.ask("about")
        maps = Path(f"/proc/{process._process.pid}/maps")
        if maps.exists():
            assert "chainrule/_core" not in maps.read_text()
        assert len(about["cores"]) in (0, 1)
    finally:
        process.end()


def test_environment_fixes_the_threads_and_drops_forced_kernels():
    base = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "1", "HOME": "/", "XLA_FLAGS": "-x"}
    one, two = environment(1, base), environment(2, base)
    assert "OPENBLAS_CORETYPE" not in one and "OPENBLAS_L2_SIZE" not in one
    assert one["OMP_NUM_THREADS"] == one["OPENBLAS_NUM_THREADS"] == "1" and one["HOME"] == "/"
    assert one["XLA_FLAGS"] == "-x --xla_cpu_multi_thread_eigen=false"
    assert two["MKL_NUM_THREADS"] == "2" and two["XLA_FLAGS"] == "-x"


def test_cores_are_taken_from_different_physical_cores_first():
    siblings = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    assert choose_cores(siblings, 1) == [3]
    assert choose_cores(siblings, 2) == [2, 3]
    assert choose_cores(siblings, 3) == [1, 2, 3]
    assert choose_cores({0: "0", 1: "1"}, 8) == [0, 1]


# Reports


def make_run() -> Run:
    """Two workloads: we are ahead on the first, behind jax on the second."""

    def series(name: str, *seconds: float) -> Series:
        return Series(name, list(seconds), 0.5, 10, 1e-8)

    digits, mnist = select(["digits", "mnist"])
    first = Block(digits, "float32", 1, 32, 1e-4, [
        series("chainrule plan", 1e-5, 2e-5, 1e-5),
        series("chainrule layers", 4e-5, 4e-5, 4e-5),
        series("numpy-classes", 12e-5, 16e-5, 12e-5),
        series("jax loop", 3e-5, 4e-5, 3e-5),
        Series("sklearn", problem="sklearn is not installed; pip install 'chainrule[bench]'"),
    ], [200.0, 202.0])  # fmt: skip
    second = Block(mnist, "float32", 2, 32, 1e-4, [
        series("chainrule plan", 5e-4, 5e-4, 5e-4),
        series("jax loop", 4e-4, 4.5e-4, 5e-4),
    ], [], "this build of chainrule._core has no fma_peak")  # fmt: skip
    machine = {"cpu": "A CPU", "cores": 2, "memory_gib": 8.0, "vector_extensions": ["avx2"],
               "system": "Linux", "python": "3.11"}  # fmt: skip
    contestants = {
        "jax loop": {"blas": ""},
        "numpy-classes": {"blas": "openblas 0.3 (Zen kernels)"},
    }
    versions = {"numpy": "2.0", "jax": "0.5"}
    return Run("chainrule bench", "2020-01-02", machine, versions, contestants, [first, second])


def test_ratio_pairs_the_rounds_and_gives_their_spread():
    ratio = make_run().blocks[0].ratio("chainrule plan", "jax loop")
    assert (ratio.median, ratio.lowest, ratio.highest) == pytest.approx((3.0, 2.0, 3.0))


def test_layers_are_judged_against_the_notebooks_classes():
    block = make_run().blocks[0]
    assert block.decisive("chainrule layers").peer == "numpy-classes"
    assert block.decisive("chainrule plan").peer == "jax loop"


def test_share_of_peak_counts_all_threads():
    block = make_run().blocks[0]
    plan = block.find("chainrule plan")
    assert block.share_of_peak(plan) == pytest.approx(block.workload.flops / 1e-5 / 201e9)
    block.threads = 2
    assert block.share_of_peak(plan) == pytest.approx(block.workload.flops / 1e-5 / 402e9)


def test_last_line_has_the_worst_ratio_and_where_it_is():
    line = worst_line(make_run())
    assert line == (
        "worst ratio: plan 0.90 (0.80 to 1.00) against jax loop (mnist, float32, 2 threads); "
        "layers 3.00 (3.00 to 4.00) against numpy-classes (digits, float32, 1 thread)"
    )
    assert summary_lines(make_run())[-1] == line


def test_without_any_peer_the_last_line_says_so():
    run = make_run()
    run.blocks.clear()
    assert worst_line(run).startswith("worst ratio: none")


def test_block_table_is_aligned_and_names_who_is_missing():
    lines = block_lines(make_run().blocks[0])
    text = "\n".join(lines)
    assert "3.00 (2.00 to 3.00)" in text and "500.0 ms" in text
    assert "sklearn: not measured: sklearn is not installed" in text
    rows = [line for line in lines if line.startswith(("  numpy-classes", "  jax loop"))]
    assert len({row.index("500.0 ms") for row in rows}) == 1


def test_summary_tells_what_the_threads_gain():
    run = make_run()
    block = copy.deepcopy(run.blocks[0])
    block.threads = 2
    block.series[0].seconds = [5e-6, 5e-6, 5e-6]
    run.blocks.append(block)
    assert run.speed_up(block, "chainrule plan") == pytest.approx(2.0)
    assert run.speed_up(run.blocks[0], "chainrule plan") is None
    assert any("x 2.00" in line for line in summary_lines(run))


def test_a_missing_peak_is_said():
    lines = block_lines(make_run().blocks[1])
    assert "peak not measured: this build of chainrule._core has no fma_peak" in lines[1]


def test_a_share_above_one_is_doubted():
    block = make_run().blocks[0]
    block.peak_gflops = [1.0]
    assert any("measured too low" in line for line in block_lines(block))


def test_numbers_keep_three_digits():
    assert [microseconds(s * 1e-6) for s in (0.1042, 1.5, 12.34, 123.4, 1234567)] == [
        "0.104", "1.50", "12.3", "123", "1,234,567",
    ]  # fmt: skip
    assert table([["a", "1"], ["bcd", "22"]]) == ["a     1", "bcd  22"]


def test_json_holds_every_sample_and_reads_back(tmp_path):
    run = make_run()
    document = json.loads(json.dumps(run.to_json()))
    assert {"schema", "command", "date", "machine", "versions", "blocks", "worst"} <= set(document)
    entry = document["blocks"][0]
    assert entry["workload"]["name"] == "digits" and entry["flops"] > 0
    assert entry["series"][0]["seconds"] == [1e-5, 2e-5, 1e-5]
    assert entry["series"][0]["median"] == 1e-5 and "share_of_peak" in entry["series"][0]
    assert {r["peer"] for r in entry["ratios"]} == {"numpy-classes", "jax loop"}
    assert document["worst"][0]["workload"] == "mnist"
    assert Run.from_json(document) == run
    with pytest.raises(ValueError, match="schema: expected 1, got 99"):
        Run.from_json({**document, "schema": 99})


def test_markdown_is_the_whole_page(tmp_path):
    page = tmp_path / "docs" / "benchmarks.md"
    page.parent.mkdir()
    page.write_text("What stood there before.", encoding="utf-8")
    write_markdown(page, make_run(), tmp_path / "ratios.png")
    text = page.read_text(encoding="utf-8")
    for part in ("A CPU", "jax 0.5", "2020-01-02", "chainrule bench", "(../ratios.png)"):
        assert part in text
    assert (
        "sklearn is not installed" in text and "| `digits` | 3.00 (2.00 to 3.00) jax loop" in text
    )
    assert "What stood there before." not in text and text.startswith("# Benchmarks")
    write_markdown(tmp_path / "again.md", make_run(), tmp_path / "ratios.png")
    again = (tmp_path / "again.md").read_text(encoding="utf-8")
    assert again == text.replace("(../ratios.png)", "(ratios.png)")


def test_markdown_has_a_part_for_each_job(tmp_path):
    run = make_run()
    blocks_ = [replace(run.blocks[0], workload=w) for w in (PRACTICE, PREDICT, ONLINE, FIRST_CALL)]
    run.blocks += blocks_
    write_markdown(tmp_path / "b.md", run, None)
    text = (tmp_path / "b.md").read_text(encoding="utf-8")
    parts = [line for line in text.splitlines() if line.startswith("## ")]
    assert [part.split(":")[0].split(",")[0] for part in parts] == [
        "## chainrule plan", "## chainrule layers", "## Training steps", "## Practice",
        "## Predictions", "## Online", "## First call of a process", "## Workloads",
    ]  # fmt: skip
    assert "Microseconds a call: median" in text


# Comparison with an earlier run


def test_slower_is_beyond_both_spreads_and_two_percent():
    old = Series("chainrule plan", [1.0, 1.01, 1.02])
    assert not is_slower(Series("chainrule plan", [1.015, 1.028, 1.03]), old)  # below 2 %
    assert is_slower(Series("chainrule plan", [1.03, 1.035, 1.04]), old)
    assert not is_slower(Series("chainrule plan", [1.0, 1.1, 1.2]), old)  # its own spread
    assert not is_slower(Series("chainrule plan", [1.1]), Series("chainrule plan", [0.9, 1, 1.1]))
    assert not is_slower(Series("chainrule plan", [0.5]), old)


def test_comparison_names_what_became_slower():
    old, run = make_run(), make_run()
    assert compare_runs(run, old) == (
        [
            "compared with 2020-01-02: 0 of 3 times slower",
            "  the peers meanwhile: x 1.00 (median of 3)",
        ],
        True,
    )
    run.blocks[1].series[0].seconds = [8e-4, 8e-4, 8.1e-4]
    run.blocks[1].series[1].seconds = [8e-3, 8e-3, 8e-3]  # a peer: told, not judged
    lines, well = compare_runs(run, old)
    assert not well and lines[0] == "compared with 2020-01-02: 1 of 3 times slower"
    assert lines[1].startswith("  chainrule plan (mnist, float32, 2 threads): 500 to 800 us a step")
    assert len(lines) == 3


def test_comparison_without_anything_in_common_is_not_well():
    old = make_run()
    old.blocks = [replace(block, dtype="float64") for block in old.blocks]
    lines, well = compare_runs(make_run(), old)
    assert not well and "in common" in lines[0]


def test_an_earlier_run_of_another_cpu_is_refused(tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps(make_run().to_json()))
    assert read_run(file, "A CPU") == make_run()
    with pytest.raises(ValueError, match="expected a run on Another, got A CPU"):
        read_run(file, "Another")
    for text in ("[]", "{", '{"schema": 1}'):
        file.write_text(text)
        with pytest.raises(ValueError, match="expected a file of --json"):
            read_run(file, "A CPU")


def test_runs_written_before_there_were_jobs_are_read():
    document = json.loads(json.dumps(make_run().to_json()))
    for entry in document["blocks"]:
        for name in ("job", "dropout", "shuffle", "validation"):
            del entry["workload"][name]
    assert Run.from_json(document) == make_run()


def test_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    write_plot(tmp_path / "ratios.png", make_run())
    assert (tmp_path / "ratios.png").stat().st_size > 1000


# The command


def test_defaults_are_the_nine_workloads_and_all_peers():
    settings = make_settings(make_parser().parse_args([]))
    assert [w.name for w in settings.workloads] == [w.name for w in NINE]
    assert settings.peers == list(PEERS) and settings.paths == ["plan", "layers"]
    assert settings.dtypes == ["float32"] and settings.repeats == 7
    assert settings.threads[0] == 1


def test_batch_changes_every_workload():
    options = make_parser().parse_args(["--workloads", "xs,sine", "--batch", "100"])
    xs, sine = make_settings(options).workloads
    assert (xs.name, xs.batch, xs.samples) == ("xs-batch100", 100, 4000)
    assert (sine.batch, sine.samples) == (100, 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workloads", "nope"], "workload: expected some of"),
        (["--peers", "caffe"], "--peers: expected some of numpy"),
        (["--path", "graph"], "--path: expected some of plan, layers, got graph"),
        (["--dtype", "float16"], "--dtype: expected some of float32, float64, got float16"),
        (["--threads", "0"], "--threads: expected 1 to"),
        (["--threads", "two"], "expected whole numbers, got two"),
        (["--repeats", "0"], "--repeats: expected at least 1, got 0"),
        (["--batch", "0"], "--batch: expected at least 1, got 0"),
        (["--minutes", "0"], "--minutes: expected a number above 0, got 0"),
        (["--compare", "no such file"], "no such file"),
    ],
)
def test_wrong_arguments_give_one_sentence_and_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert message in error and error.count("\n") == 1


def test_a_whole_run_prints_tables_and_writes_its_files(tmp_path, capsys):
    data, page = tmp_path / "b.json", tmp_path / "b.md"
    arguments = ["--workloads", "sine", "--peers", "numpy,numpy-classes", "--threads", "1"]
    code = main([*arguments, "--repeats", "1", "--json", str(data), "--markdown", str(page)])
    out = capsys.readouterr().out
    assert code == 0
    assert "chainrule plan" in out and "numpy-classes" in out
    assert out.rstrip().splitlines()[-1].startswith("worst ratio: plan ")
    run = Run.from_json(json.loads(data.read_text()))
    assert run.blocks[0].workload == select(["sine"])[0]
    assert "| `sine` |" in page.read_text()


def test_a_run_that_is_slower_than_an_earlier_one_fails(tmp_path, capsys):
    data = tmp_path / "old.json"
    arguments = ["--workloads", "sine", "--path", "plan", "--peers", "numpy", "--threads", "1"]
    arguments += ["--repeats", "1"]
    assert main([*arguments, "--json", str(data)]) == 0
    document = json.loads(data.read_text())
    assert document["machine"]["cpu"] == cpu_name()
    for factor, code in ((1e-3, 1), (1e3, 0)):
        earlier = copy.deepcopy(document)
        for series in earlier["blocks"][0]["series"]:
            series["seconds"] = [seconds * factor for seconds in series["seconds"]]
        changed = tmp_path / f"{factor}.json"
        changed.write_text(json.dumps(earlier))
        capsys.readouterr()
        assert main([*arguments, "--compare", str(changed)]) == code
        assert f"{code} of 1 time slower" in capsys.readouterr().out
