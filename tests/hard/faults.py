"""The tests themselves: faults put into a copy of the sources, one at a time; each must be caught.

The quick form sees that every fault still has its place in the sources, and that its test is there.
The long form builds each (one target, little optimization) and runs the test that should fail.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from hard import builds

QUICK, LONG = 1, 1_000  # the quick form builds none


class Fault(NamedTuple):
    """In `file` the text `right`, which stands there once, becomes `wrong`; `test` must fail.

    `targets` are built beside the baseline: some code is compiled for wide registers only.
    """

    file: str
    right: str
    wrong: str
    test: str
    targets: str = ""


K, M, R, B, P = "cpp/kernels/", "cpp/model/", "cpp/runtime/", "cpp/bindings/", "python/chainrule/"
RULES, LOSSES, DENSE = "kernels_optimizers", "kernels_losses", "kernels_dense"
PLAN, BITS, ACTIVATIONS, TABLES = "plan", "plan_bits", "kernels_activations", "plan_of_tables"

FAULTS = [
    # signs
    Fault(K + "rules.inl", "fma(Vec<T>{} - k[0], g, s.w); }", "fma(k[0], g, s.w); }", RULES),
    Fault(
        K + "losses.inl",
        "return (one - y) / (one - clipped) - y / clipped;",
        "return y / clipped - (one - y) / (one - clipped);",
        LOSSES,
    ),
    Fault(
        K + "losses.inl",
        "{ return sign_of(p - y); }",
        "{ return sign_of(y - p); }",
        LOSSES,
    ),
    Fault(
        K + "losses.inl",
        "{ return sigmoid(z) - y; }",
        "{ return y - sigmoid(z); }",
        LOSSES,
    ),
    Fault(
        K + "losses.inl",
        "return fma(p, column.total, Vec<T>{} - y);",
        "return p - y;",
        LOSSES,
    ),
    Fault(
        K + "softmax.inl",
        "(load(d.column(j)) - sum)",
        "(load(d.column(j)) + sum)",
        ACTIVATIONS,
    ),
    # layers of tables in a plan
    Fault(
        M + "engine_panels_beside.cpp",
        "if (net_.scales()) return kernel_.scale_columns(",
        "if (false) return kernel_.scale_columns(",
        TABLES,
    ),
    Fault(
        M + "engine_panels_beside.cpp",
        "        job.activated = dproduct;",
        "        job.activated = job.inputs;",
        TABLES,
    ),
    Fault(
        M + "engine_panels_beside.cpp",
        "lots_cost_ += lot.cost;",
        "lots_cost_ = lot.cost;",
        TABLES,
    ),
    Fault(
        M + "engine_panels_beside.cpp",
        "{lot.index, lot.index + 1, plain.data",
        "{0, 1, plain.data",
        TABLES,
    ),
    Fault(
        M + "engine_panels_beside.cpp",
        "features.has_periodic() ? periodic_ : columns_;",
        "columns_;",
        TABLES,
    ),
    Fault(
        M + "engine_panels_beside.cpp",
        "if (memory.sum && place.first) {",
        "if (memory.sum && place.last) {",
        TABLES,
    ),
    Fault(
        M + "plan.cpp",
        "decay, rules.stages[s].shares);",
        "decay, rules.stages[0].shares);",
        TABLES,
    ),
    Fault(
        M + "network.hpp",
        "body(stage.shares, Shape{1, stage.n_neurons}, each.stages[s].shares...);",
        "body(stage.shares, Shape{1, stage.n_neurons}, each.stages[0].shares...);",
        TABLES,
    ),
    # formulas
    Fault(
        K + "rules.inl",
        "constants[3] = 1 - parameters[1];",
        "constants[3] = 1;",
        RULES,
    ),
    Fault(
        K + "rules.inl",
        "s.w = s.w + fma(k[1], s.array[0], Vec<T>{} - k[0] * g);",
        "s.w = s.w + s.array[0];",
        RULES,
    ),
    Fault(
        K + "rules.inl",
        "constants[0] = rate / (1 - __builtin_pow(beta_1, step));",
        "constants[0] = rate;",
        RULES,
    ),
    Fault(
        K + "rules.inl",
        "select(s.array[1] <= s.array[2], s.array[2], s.array[1])",
        "s.array[1]",
        RULES,
    ),
    Fault(
        K + "rules.inl",
        "return select(denominator == Vec<T>{}, Vec<T>{}, numerator / denominator);",
        "return numerator / denominator;",
        RULES,
    ),
    Fault(
        K + "softmax.inl",
        "exponential(load(in.column(j)) - largest)",
        "exponential(load(in.column(j)))",
        ACTIVATIONS,
    ),
    Fault(
        K + "activations.inl",
        "{ return dvalues * sigmoid(x); }",
        "{ return dvalues; }",
        ACTIVATIONS,
    ),
    Fault(
        K + "activations.inl",
        "{ return exponential_any(x); }",
        "{ return exponential(x); }",
        ACTIVATIONS,
    ),
    Fault(
        K + "metrics.inl",
        "return absolute(output - target) < broadcast(T(job.precision));",
        "return absolute(output - target) <= broadcast(T(2 * job.precision));",
        PLAN,
    ),
    Fault(
        K + "metrics.inl",
        "select(broadcast(T(0.5)) < output,",
        "select(Vec<T>{} < output,",
        "evaluate",
    ),
    # indices and tails
    Fault(
        K + "sums.inl",
        "for (Index j = 0; i + j < n; ++j)",
        "for (Index j = 1; i + j < n; ++j)",
        LOSSES,
    ),
    Fault(
        K + "elementwise.inl",
        "if (i < n) step(i, Tail{n - i});",
        "if (i + 1 < n) step(i, Tail{n - i});",
        ACTIVATIONS,
    ),
    Fault(
        K + "softmax.inl",
        "for (Index j = 1; j < cols; ++j) {",
        "for (Index j = 2; j < cols; ++j) {",
        ACTIVATIONS,
    ),
    Fault(
        K + "loss.inl",
        "select(targets.label == broadcast(T(j)), output, of_label)",
        "select(targets.label == broadcast(T(j + 1)), output, of_label)",
        LOSSES,
    ),
    Fault(
        K + "loss.inl",
        "first_lanes(job.scale, rows)",
        "broadcast(job.scale)",
        PLAN,
    ),
    Fault(
        K + "product.inl",
        "for (; k < count; ++k, b += b_row) multiply_add(k, b);",
        "for (; k + 1 < count; ++k, b += b_row) multiply_add(k, b);",
        DENSE,
    ),
    Fault(
        K + "product.inl",
        "R > 4 ? a + 4 * a_row : a,",
        "R > 4 ? a + 3 * a_row : a,",
        DENSE,
        "x86_64_v3",
    ),
    # epilogues
    Fault(
        K + "product.inl",
        "    if (job.activation != Activation::identity) through_activation",
        "    if (job.rows > 3 && job.activation != Activation::identity) through_activation",
        PLAN,
    ),
    # a chunk lost, a sum not compensated
    Fault(
        M + "chunks.hpp",
        "while ((first += chunk_samples) < samples);",
        "while ((first += chunk_samples) + chunk_samples <= samples);",
        "long_batches",
    ),
    Fault(
        M + "chunks.hpp",
        "while ((first += group_samples) < samples);",
        "while ((first += group_samples) + 1 < samples);",
        "long_batches",
    ),
    Fault(
        M + "chunks.hpp",
        "lost[e] = (sum - sums[e]) - value;",
        "lost[e] = 0;",
        "gradients",
    ),
    # the plan
    Fault(
        M + "plan.cpp",
        "        ++schedule.iterations;\n        ++steps_taken_;",
        "        ++steps_taken_;",
        PLAN,
    ),
    Fault(
        M + "plan.cpp",
        "return sums_of(now).mean_loss() + penalty_factor(now) * engine_->penalty();",
        "return sums_of(now).mean_loss();",
        "gradients",
    ),
    Fault(
        M + "plan.cpp",
        "inputs_in_place_ = !stretch.order;",
        "inputs_in_place_ = true;",
        "core_objects",
    ),
    Fault(
        M + "plan.cpp",
        "schedule.learning_rate * (1.0 / (1.0 + schedule.decay * iterations))",
        "schedule.learning_rate / (1.0 + schedule.decay * (iterations + 1))",
        PLAN,
    ),
    Fault(
        M + "engine_panels_update.cpp",
        "if (middle >= from && middle < to) body(tiles_[i]);",
        "if (middle > from && middle < to - tiles_[i].cost / 4) body(tiles_[i]);",
        BITS,
    ),
    # barriers and teams
    Fault(
        R + "team.cpp",
        "if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {",
        "if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 2 >= count_) {",
        "crew",
    ),
    Fault(
        R + "team.cpp",
        "if (failure) std::rethrow_exception(failure);",
        "",
        "hard[workers]",
    ),
    Fault(
        R + "floating_point.hpp",
        "~FloatingPointFlags() { _mm_setcsr(saved_); }",
        "~FloatingPointFlags() {}",
        "hard[floating_point]",
    ),
    # checks at the door
    Fault(
        B + "targets.cpp",
        "(y < T(0)) | (y > T(1))",
        "(y < T(0)) | (y > T(2))",
        "loss_targets",
    ),
    Fault(
        B + "targets.cpp",
        "if (labels[i] < 0 || labels[i] >= classes)",
        "if (labels[i] < 0 || labels[i] > classes)",
        LOSSES,
    ),
    Fault(
        B + "arrays.hpp",
        "if (a != b && a < b + bytes && b < a + bytes) throw_conversion(name);",
        "",
        RULES,
    ),
    Fault(
        B + "plan_arguments.cpp",
        "    model::check(network);\n",
        "",
        "core_objects",
    ),
    # what Python keeps, checks and writes
    Fault(
        P + "training/plan_runner.py",
        "        self._written_back = False\n",
        "",
        PLAN,
    ),
    Fault(
        P + "training/plan_runner.py",
        "        if network == self._network:\n",
        "        if True:\n",
        "edits",
    ),
    Fault(
        P + "training/plan_runner.py",
        "        if not self._plan.look_at_samples(self.request.check_finite):\n",
        "        if False:\n",
        "edits",
    ),
    Fault(
        P + "training/whole_update.py",
        "                for array, copy in copies:\n                    array[...] = copy\n",
        "",
        "whole_update",
    ),
    Fault(
        P + "saving/model_file.py",
        "    if found != promised:\n",
        "    if False:\n",
        "saving_damage",
    ),
    Fault(
        P + "saving/atomic_file.py",
        "            os.fsync(file.fileno())\n",
        "",
        "saving_kill",
    ),
    Fault(
        P + "optimizers/state.py",
        '    if how == "fresh":\n        drop_arrays(layer)\n',
        "",
        "optimizer_state",
    ),
]


def path_of(fault: Fault) -> Path:
    """Return the file of a fault's test."""
    return builds.ROOT / "tests" / f"test_{fault.test.partition('[')[0]}.py"


def check_places() -> None:
    """Refuse a fault whose text does not stand in its file once, or whose test is not there."""
    for fault in FAULTS:
        text = (builds.ROOT / fault.file).read_text()
        count = text.count(fault.right)
        assert count == 1, f"{fault.file}: {fault.right!r} stands there {count} times"
        assert path_of(fault).is_file(), fault.test


def copied(folder: Path) -> Path:
    """Return a copy of the sources, without what was built."""
    ignored = shutil.ignore_patterns("build", ".git", "_core*.so", "__pycache__", "docs")
    shutil.copytree(builds.ROOT, folder, ignore=ignored)
    return folder


def passes(source: Path, package: Path, test: str) -> bool:
    """Run a test file of the copy, or one test of it, with the package; return whether all pass."""
    name, _, case = test.partition("[")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [f"tests/test_{name}.py", *(["-k", case.rstrip("]")] if case else [])]
    variables = builds.environment(package, CHAINRULE_MEMORY="nan")
    done = subprocess.run(
        command, cwd=source, env=variables, capture_output=True, text=True, check=False
    )
    # 2 to 5: pytest itself has a reason; below 0: a signal has ended it
    assert done.returncode not in (2, 3, 4, 5), (done.stdout + done.stderr)[-3000:]
    return done.returncode == 0


def caught(source: Path, fault: Fault, package: Path) -> bool:
    """Put a fault in, build, run its test, and take it out again; return whether that failed."""
    file = source / fault.file
    text = file.read_text()
    file.write_text(text.replace(fault.right, fault.wrong))
    try:
        if fault.file.startswith("cpp/"):
            module = builds.cmake("faults", source, f"-DCHAINRULE_TARGETS={fault.targets}")
            shutil.copy(module, package / "chainrule")
        else:
            shutil.copy(file, package / Path(fault.file).relative_to("python"))
        return not passes(source, package, fault.test)
    finally:
        file.write_text(text)
        if not fault.file.startswith("cpp/"):
            shutil.copy(file, package / Path(fault.file).relative_to("python"))


def check(count: int, seed: int) -> str:
    check_places()
    if count < 2:
        return f"{len(FAULTS)} faults have their places and their tests; built with --long"
    chosen = list(FAULTS)
    if count < len(chosen):
        random.Random(seed).shuffle(chosen)
        chosen = chosen[:count]
    missed = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        source = copied(Path(name) / "chainrule")
        package = builds.package(builds.cmake("faults", source), source)
        for test in sorted({fault.test for fault in chosen}):
            assert passes(source, package, test), f"{test} fails without a fault"
        for place, fault in enumerate(chosen, 1):
            if not fault.file.startswith("cpp/"):
                shutil.copy(builds.cmake("faults", source), package / "chainrule")
            found = caught(source, fault, package)
            told = f"{fault.file}: {fault.wrong!r}"
            print(f"{place}: {'caught' if found else 'MISSED'} {told}", file=sys.stderr, flush=True)
            missed += [] if found else [told]
    assert not missed, "\n".join(missed)
    return f"{len(chosen)} of {len(FAULTS)} faults built, every one caught"
