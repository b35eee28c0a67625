"""The C99 file: compiled as strictly as C is, it gives the bits of `Model.predict`."""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop.c_constants import CONSTANTS, constant
from exchange import ACTIVATIONS, net_for_tables, net_with, samples
from part_cases import name_of

Array = np.ndarray[Any, Any]
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off"]
POLYNOMIALS = Path(__file__).parents[1] / "cpp/kernels/polynomials.inl"
FUSED = cr.cpu_target() != "baseline" or platform.machine() == "aarch64"
DTYPES = (np.float32, np.float64)
ROWS = 1000

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
needs_fused = pytest.mark.skipif(
    not FUSED, reason="the bits are those of targets with fused multiply-add"
)


def library(folder: Path, *options: str) -> ctypes.CDLL:
    """All C files of a folder, compiled to one shared library."""
    target = folder / "nets.so"
    command = [str(COMPILER), *FLAGS, "-O1", *options, "-shared", "-fPIC", "-o", str(target)]
    sources = sorted(map(str, folder.glob("*.c")))
    done = subprocess.run([*command, *sources, "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(target))


def predicted(nets: ctypes.CDLL, name: str, X: Array) -> Array:
    """What a net of the library makes of the rows."""
    n_inputs, n_outputs = (getattr(nets, f"{name}_n_{what}") for what in ("inputs", "outputs"))
    n_inputs.restype = n_outputs.restype = ctypes.c_size_t
    assert X.shape[1] == n_inputs() and X.flags.c_contiguous
    output = np.full((len(X), n_outputs()), np.nan, dtype=X.dtype)
    pointer = ctypes.POINTER(ctypes.c_float if X.dtype == np.float32 else ctypes.c_double)
    getattr(nets, f"{name}_predict")(
        ctypes.c_size_t(len(X)), X.ctypes.data_as(pointer), output.ctypes.data_as(pointer)
    )
    return output


def assert_same_bits(actual: Array, expected: Array) -> None:
    """Equal in every bit; NaN equals NaN."""
    assert actual.dtype == expected.dtype
    word = np.uint32 if actual.dtype == np.float32 else np.uint64
    same = (actual.view(word) == expected.view(word)) | (np.isnan(actual) & np.isnan(expected))
    wrong = np.argwhere(~same)
    assert not len(wrong), f"{len(wrong)} differ, first {tuple(wrong[0])}: {actual[~same][0]!r}"


def hard_rows(dtype: Any) -> Array:
    """Rows whose sums reach from subnormal numbers to infinity, and special ones."""
    rng = np.random.default_rng(5)
    scale = np.finfo(dtype)
    powers = rng.uniform(np.log2(scale.tiny) - 10, np.log2(scale.max) / 2, (ROWS // 2, 1))
    X = rng.standard_normal((ROWS, 5))
    X[: ROWS // 2] *= np.exp2(powers)
    X[:6] = [
        [0, 0, 0, 0, 0],
        [-0.0, -0.0, -0.0, -0.0, -0.0],
        [np.inf, 0, 0, 0, 0],
        [-np.inf, 1, 1, 1, 1],
        [np.nan, 1, 1, 1, 1],
        [scale.max, scale.max, -scale.max, 1, 1],
    ]
    X[6 : ROWS // 4] = (
        rng.uniform(-40, 40, (ROWS // 4 - 6, 1)) * X[6 : ROWS // 4] / np.abs(X[6 : ROWS // 4])
    )
    return X.astype(dtype)


@needs_compiler
@needs_fused
@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_every_activation_has_the_bits_of_predict(dtype: Any, tmp_path: Path) -> None:
    """Behind a layer, where the last layer shows each of its bits; for one row and for many."""
    X = hard_rows(dtype)
    models = {}
    for number, make in enumerate(ACTIVATIONS):
        model = net_with(make(), dtype)
        model.layers.pop()
        model.finalize()
        models[f"net_{number}"] = model
        model.to_c(tmp_path / f"net_{number}.c", name=f"net_{number}")
    nets = library(tmp_path)
    with np.errstate(all="ignore"):
        for name, model in models.items():
            output = predicted(nets, name, X)
            assert_same_bits(output, model.predict(X))
            assert_same_bits(output[7:8], model.predict(X[7:8]))
            assert np.isfinite(output).sum() > output.size // 4


@needs_compiler
@needs_fused
@pytest.mark.parametrize("options", [("-O0",), ("-O3", "-march=native")], ids=["slow", "fast"])
def test_layers_in_a_row_have_the_bits_whatever_the_compiler_does(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    models = {
        "deep": cr.mlp(5, 33, 65, 17, 4, activation="gelu", output="softmax", dropout=0.3, seed=3),
        "wide": cr.mlp(5, 700, 2, activation="tanh", dtype="float64", seed=4),
        "other": other_order(),
    }
    for name, model in models.items():
        model.to_c(tmp_path / f"{name}.c", name=name)
    nets = library(tmp_path, *options)
    for name, model in models.items():
        X = samples(ROWS, 5, model.trainable_layers[0].dtype)
        assert_same_bits(predicted(nets, name, X), model.predict(X))


@needs_compiler
@needs_fused
@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_layers_of_tables_have_the_bits_of_predict(dtype: Any, tmp_path: Path) -> None:
    """Angles of any number of turns; the layers first, last and between others."""
    model, X = net_for_tables(dtype)
    X[:100, :3] *= np.exp2(np.linspace(-30, 40, 100))[:, None].astype(dtype)
    features, table, shares = cr.Model(), cr.Model(), cr.Model()
    features.add(model.layers[0])
    table.add(cr.Layer_Embedding(2, (4, 7), 5, dtype=dtype, rng=6))
    for name in ("tanh", "mish", "elu"):
        shares.add(cr.Layer_ParametricActivation(6, name, dtype=dtype))
        shares.layers[-1].weights = np.linspace(-1, 2, 6, dtype=dtype)[None]
    nets = {"model": model, "features": features, "table": table, "shares": shares}
    rows = {**dict.fromkeys(nets, X), "table": np.ascontiguousarray(X[:, 4:])}
    for name, net in nets.items():
        net.finalize()
        net.to_c(tmp_path / f"{name}.c", name=name)
    compiled = library(tmp_path)
    for name, net in nets.items():
        assert_same_bits(predicted(compiled, name, rows[name]), net.predict(rows[name]))
    wrong = np.array([[-1, 0], [4, 0], [0, 0.5], [0, np.nan], [3, 6]], dtype=dtype)
    known = np.isfinite(predicted(compiled, "table", wrong))
    assert known.reshape(5, 2, 5).all(axis=2).tolist() == [
        [False, True], [False, True], [True, False], [True, False], [True, True],
    ]  # fmt: skip


def other_order() -> Any:
    """A door, an activation first, factors, a layer without biases, activations in a row."""
    rng = np.random.default_rng(8)
    model = cr.Model()
    parts = [
        cr.Layer_Input(),
        cr.Activation_Tanh(),
        cr.Layer_Scale(5, dtype="float32"),
        cr.Activation_Softmax(),
        cr.Layer_Dense(5, 6, bias=False, dtype="float32", rng=rng),
        cr.Layer_Dropout(0.5, rng=1),
        cr.Activation_Sigmoid(),
        cr.Activation_ELU(0.3),
        cr.Layer_Scale(6, dtype="float32"),
    ]
    for part in parts:
        model.add(part)
    for place in (2, 8):
        weights = model.layers[place].weights
        model.layers[place].weights = rng.uniform(0.5, 2, weights.shape).astype(np.float32)
    model.finalize()
    return model


@needs_compiler
@needs_fused
def test_a_program_of_two_files_prints_what_the_model_predicts(tmp_path: Path) -> None:
    """The head's declarations serve a program; printed with %a a double comes back exactly."""
    model = cr.mlp(2, 3, 1, activation="relu", dtype="float64", seed=0)
    model.to_c(tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    declarations = text[text.index("#include <stddef.h>") : text.index("/* ----")]
    (tmp_path / "main.c").write_text(
        f"#include <stdio.h>\n{declarations}\n"
        "int main(void) {\n    const double inputs[] = {0.5, -1.25, 3, 4};\n    double output[2];\n"
        '    net_predict(2, inputs, output);\n    printf("%zu %zu %a %a\\n", net_n_inputs(), '
        "net_n_outputs(), output[0], output[1]);\n    return 0;\n}\n"
    )
    program = str(tmp_path / "program")
    sources = [str(tmp_path / "main.c"), str(tmp_path / "net.c")]
    subprocess.run([str(COMPILER), *FLAGS, "-o", program, *sources, "-lm"], check=True)
    words = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    expected = model.predict([[0.5, -1.25], [3, 4]])
    assert words[:2] == ["2", "1"]
    found = np.array([float.fromhex(word) for word in words[2:]])
    assert_same_bits(found, expected[:, 0])


@pytest.mark.skipif(not POLYNOMIALS.is_file(), reason="no C++ sources beside the tests")
@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_the_constants_are_those_of_the_kernels(dtype: Any) -> None:
    """Every polynomial that both have, number by number."""
    text = POLYNOMIALS.read_text()
    part = text.split("struct Polynomials<double>")[dtype is np.float64]
    found = {
        name: [float.fromhex(word.strip().rstrip("f")) for word in numbers.strip("{}").split(",")]
        for name, numbers in re.findall(r"constexpr \w+ (\w+)(?:\[\])? = ([^;]+);", part)
    }
    both = found.keys() & CONSTANTS.keys()
    assert len(both) >= 11
    for name in both:
        assert constant(name, np.dtype(dtype)).tolist() == found[name], name


def test_what_c_cannot_say_is_refused_and_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.c"
    path.write_text("kept")
    model = cr.mlp(2, 2, seed=0)
    for name in ("", "1st", "a b", 3, "x;"):
        with pytest.raises(ValueError, match="to_c: name: expected a name that C takes, got"):
            model.to_c(path, name=name)
    model.layers[0].weights[0, 0] = np.nan
    with pytest.raises(ValueError, match="to_c: weights 1: expected finite numbers"):
        model.to_c(path)
    mixed = cr.Model()
    mixed.add(cr.Layer_Dense(2, 2, dtype="float32"))
    mixed.add(cr.Layer_Dense(2, 2, dtype="float64"))
    with pytest.raises(ValueError, match="to_c: expected layers of one dtype, got float32 and fl"):
        mixed.to_c(path)
    alone = cr.Model()
    alone.add(cr.Activation_ReLU())
    with pytest.raises(ValueError, match="to_c: expected a layer with parameters, got none"):
        alone.to_c(path)

    class Own(cr.Activation_ReLU):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return super().forward(inputs) + 1

    alone.add(Own())
    with pytest.raises(TypeError, match="to_c: layer 2: expected a layer of the package, got Own"):
        alone.to_c(path)
    unfit = cr.Model()
    unfit.add(cr.Layer_Dense(2, 3))
    unfit.add(cr.Layer_Dense(2, 2))
    with pytest.raises(ValueError, match=r"Layer_Dense 2: inputs: expected \(n, 2\)"):
        unfit.to_c(path)
    assert path.read_text() == "kept"


@pytest.mark.parametrize("make", ACTIVATIONS, ids=name_of)
def test_only_what_is_used_is_written(make: Any, tmp_path: Path) -> None:
    """A ReLU net has no exponential."""
    net_with(make(), np.float32).to_c(tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    assert text.isascii() and max(map(len, text.splitlines())) <= 120
    assert ("exp_tail" in text) == (
        make().core_name not in ("relu", "leaky_relu", "linear", "tanh")
    )
