"""Which arrays the core takes as they are, which the classes convert, which are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import _core as core
from part_cases import loss_rows, numbers_for, targets_for

Array = np.ndarray[Any, Any]

N, D, M = 5, 4, 3


class Subclass(np.ndarray):  # type: ignore[type-arg]
    """An ndarray in name only, as far as the core knows."""


def misaligned(array: Array) -> Array:
    raw = np.zeros(array.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def with_gaps(array: Array) -> Array:
    wide = np.repeat(array, 2, axis=-1)
    return wide[..., ::2]


NEEDS_CONVERSION = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(map(tuple, a.tolist())),
    "Fortran order": np.asfortranarray,
    "gaps": with_gaps,
    "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "misaligned": misaligned,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "other float": lambda a: a.astype("f4" if a.dtype == np.float64 else "f8"),
    "float16": lambda a: a.astype(np.float16),
    "long double": lambda a: a.astype(np.longdouble),
    "int64": lambda a: a.astype(np.int64),
    "int32": lambda a: a.astype(np.int32),
    "uint8": lambda a: np.abs(a).astype(np.uint8),
    "bool": lambda a: a > 0,
    "complex": lambda a: a.astype(complex),
    "object": lambda a: a.astype(object),
    "text": lambda a: a.astype("U8"),
    "dates": lambda a: a.astype(np.int64).astype("datetime64[s]"),
    "record": lambda a: np.zeros(a.shape, dtype=[("x", "f4")]),
    "masked": np.ma.masked_invalid,
    "matrix subclass": lambda a: a.view(Subclass),
    "scalar": lambda a: 1.5,
    "None": lambda a: None,
    "bytes": lambda a: a.tobytes(),
    "memoryview": memoryview,
}
by_kind = pytest.mark.parametrize("kind", list(NEEDS_CONVERSION))


def calls(dtype: Any) -> dict[str, list[Any]]:
    """Good arguments for every function of the core; a rule's update takes its arrays alone."""
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> Array:
        return rng.uniform(0.1, 0.9, shape).astype(dtype)

    n, d, m = N, D, M
    labels = np.arange(n, dtype=np.int64) % m
    found: dict[str, list[Any]] = {
        "dense_forward": [floats(n, d), floats(d, m), floats(1, m)],
        "dense_backward": [floats(n, d), floats(n, m), floats(d, m)],
        "regularize": [floats(d, m), floats(d, m), 0.1, 0.1],
        "dropout_forward": [floats(n, m), 0.5, 1, 2],
        "multiply": [floats(n, m), floats(n, m)],
    }
    for row in core.catalogue()["activations"]:
        if row["name"] != "linear":
            numbers = numbers_for(row, m)
            found[f"{row['name']}_forward"] = [floats(n, m), *numbers]
            found[f"{row['name']}_backward"] = [floats(n, m), floats(n, m), *numbers]
    for row in loss_rows():
        y_true = labels if row["labels"] else targets_for(row, rng, (n, m), dtype)
        for direction in ("forward", "backward"):
            found[f"{row['name']}_{direction}"] = [floats(n, m), y_true, *numbers_for(row, m)]
    for rule in RULES.values():
        found[f"{rule['name']} update"] = [floats(d, m) for _ in range(2 + len(rule["states"]))]
    return found


RULES: dict[str, Any] = {row["name"]: row for row in core.catalogue()["rules"]}
NAMES = list(calls(np.float64))


def function_of(name: str) -> Callable[..., Any]:
    """The compiled function of a name of `calls`."""
    rule = RULES.get(name.removesuffix(" update"))
    if rule is None:
        return getattr(core, name)
    hyper = (0.5,) * len(rule["parameters"])

    def update(parameter: Any, gradient: Any, *states: Any) -> None:
        core.update(rule["name"], ((parameter, gradient, states, 0.1, 0.01, 1, hyper),))

    return update


def float_positions(arguments: list[Any]) -> list[int]:
    return [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def test_conversion_needed_is_a_type_error() -> None:
    assert issubclass(core.ConversionNeeded, TypeError)


def all_finite(*values: Any) -> bool:
    """Whether the results, and what was written in place, are numbers throughout."""
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return all(np.isfinite(part).all() for part in parts if part is not None)


@pytest.mark.parametrize("name", NAMES)
def test_good_arguments_are_taken(name: str, dtype: Any) -> None:
    arguments = calls(dtype)[name]
    assert all_finite(function_of(name)(*arguments), *arguments)


@by_kind
@pytest.mark.parametrize("name", NAMES)
def test_the_core_asks_for_conversion_and_changes_nothing(name: str, kind: str, dtype: Any) -> None:
    """Each array argument in turn; a lone argument may have the other float dtype."""
    good = calls(dtype)[name]
    for position in float_positions(good):
        if kind == "other float" and len(float_positions(good)) == 1:
            continue
        arguments = list(good)
        spoiled = NEEDS_CONVERSION[kind](good[position])
        if kind in ("Fortran order", "reversed") and spoiled.flags.c_contiguous:
            continue  # one row is in any order
        arguments[position] = spoiled
        before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        with pytest.raises(core.ConversionNeeded):
            function_of(name)(*arguments)
        for a, b in zip(arguments, before, strict=True):
            if isinstance(a, np.ndarray):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", [n for n in NAMES if "softmax_cross" in n or "categorical" in n])
@pytest.mark.parametrize("dtype_name", ["i4", "u8", "i2", ">i8", "u1", "bool"])
def test_labels_of_other_integers_need_conversion(name: str, dtype_name: str) -> None:
    y_pred, _, smoothing = calls(np.float64)[name]
    with pytest.raises(core.ConversionNeeded):
        function_of(name)(y_pred, np.zeros(N, dtype=dtype_name), smoothing)


def test_a_column_of_labels_needs_conversion() -> None:
    """The classes then say how to flatten it."""
    with pytest.raises(core.ConversionNeeded):
        core.categorical_crossentropy_forward(
            np.zeros((N, M)), np.zeros((N, 1), dtype=np.int64), 0.0
        )


@pytest.mark.parametrize("name", NAMES)
def test_read_only_arrays_are_taken_where_they_are_only_read(name: str, dtype: Any) -> None:
    arguments = calls(dtype)[name]
    if name.endswith(" update") or name == "regularize":
        return
    for a in arguments:
        if isinstance(a, np.ndarray):
            a.flags.writeable = False
    assert all_finite(function_of(name)(*arguments))


@pytest.mark.parametrize("name", NAMES)
def test_results_are_fresh_arrays(name: str, dtype: Any) -> None:
    arguments = calls(dtype)[name]
    results = function_of(name)(*arguments)
    if results is None:
        return
    results = results if isinstance(results, tuple) else (results,)
    again = function_of(name)(*arguments)
    again = again if isinstance(again, tuple) else (again,)
    for result, other in zip(results, again, strict=True):
        assert type(result) is np.ndarray and result.dtype == dtype
        assert result.flags.c_contiguous and result.flags.writeable and result.flags.aligned
        assert not np.shares_memory(result, other)
        assert not any(np.shares_memory(result, a) for a in arguments if isinstance(a, np.ndarray))


@pytest.mark.parametrize("name", NAMES)
def test_wrong_numbers_of_arguments_are_type_errors(name: str, dtype: Any) -> None:
    arguments = calls(dtype)[name]
    if name.endswith(" update"):
        return  # the wrapper here takes any number
    for wrong in ([], arguments[:-1], [*arguments, 1.0]):
        with pytest.raises(TypeError):
            function_of(name)(*wrong)


# Texts


def floats(*shape: int) -> Array:
    return np.zeros(shape)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        (
            "dense_forward",
            (floats(5, 10), floats(64, 3), floats(1, 3)),
            "inputs: expected (n, 64), got (5, 10)",
        ),
        (
            "dense_forward",
            (floats(64), floats(64, 3), floats(1, 3)),
            "inputs: expected (n, 64), got (64,)",
        ),
        (
            "dense_forward",
            (floats(5, 64), floats(64, 3), floats(1, 4)),
            "biases: expected (1, 3), got (1, 4)",
        ),
        (
            "dense_forward",
            (floats(5, 64), floats(64, 3), floats(3)),
            "biases: expected (1, 3), got (3,)",
        ),
        (
            "dense_backward",
            (floats(5, 64), floats(5, 4), floats(64, 3)),
            "dvalues: expected (5, 3), got (5, 4)",
        ),
        (
            "dense_backward",
            (floats(5, 64), floats(6, 3), floats(64, 3)),
            "dvalues: expected (5, 3), got (6, 3)",
        ),
        ("regularize", (floats(5, 3), floats(3, 5), 0.1, 0.1), None),
        ("softmax_forward", (floats(5),), "inputs: expected 2 dimensions, got (5,)"),
        ("softmax_backward", (floats(5, 2), floats(2, 5)), None),
        ("relu_backward", (floats(5, 2), floats(2, 5)), None),
        ("tanh_backward", (floats(5, 2), floats(5)), None),
        ("sigmoid_backward", (floats(5, 2), floats(1, 5, 2)), None),
        ("multiply", (floats(5, 2), floats(2, 5)), None),
        (
            "half_squared_error_forward",
            (floats(5, 2), floats(5, 3)),
            "y_true: expected (5, 2), got (5, 3)",
        ),
        (
            "mean_squared_error_backward",
            (floats(5, 1), floats(5)),
            "y_true: expected (5, 1), got (5,)",
        ),
        ("mean_absolute_error_forward", (floats(5), floats(5)), None),
        (
            "binary_crossentropy_forward",
            (floats(5, 2), floats(4, 2)),
            "y_true: expected (5, 2), got (4, 2)",
        ),
        ("categorical_crossentropy_forward", (floats(5, 2), np.zeros(4, np.int64), 0.0), None),
        ("softmax_crossentropy_forward", (floats(5, 2), floats(5, 3), 0.0), None),
        ("softmax_crossentropy_backward", (floats(5, 2), np.zeros(6, np.int64), 0.0), None),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_a_wrong_shape_says_expected_and_got(
    name: str, arguments: tuple[Any, ...], text: str | None
) -> None:
    with pytest.raises(ValueError) as caught:
        function_of(name)(*arguments)
    if text is not None:
        assert str(caught.value) == text
    assert ": expected " in str(caught.value) and ", got (" in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
@pytest.mark.parametrize("name", [n for n in NAMES if "softmax" in n or "error" in n])
def test_no_rows_or_columns_give_a_result_or_a_value_error(
    name: str, shape: tuple[int, int], dtype: Any
) -> None:
    matrix = np.zeros(shape, dtype=dtype)
    good = calls(dtype)[name]
    arguments = [matrix.copy() if isinstance(each, np.ndarray) else each for each in good]
    if shape[1] == 0:
        try:
            function_of(name)(*arguments)
        except ValueError as refusal:
            assert "expected" in str(refusal)
            return
    else:
        assert all_finite(function_of(name)(*arguments))


# The classes convert


@pytest.fixture
def layer() -> Any:
    return chainrule.Layer_Dense(D, M, rng=0, dtype=np.float64)


def integers() -> Array:
    return np.arange(N * D, dtype=np.float64).reshape(N, D)


ACCEPTED = [
    "list", "tuple", "Fortran order", "gaps", "reversed", "misaligned", "byte-swapped",
    "other float", "float16", "long double", "int64", "int32", "uint8", "matrix subclass",
]  # fmt: skip
REFUSED = ["complex", "object", "text", "dates", "record", "masked", "None", "bytes"]


@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_layer_converts_its_inputs(kind: str, layer: Any) -> None:
    expected = layer.forward(integers())
    given = NEEDS_CONVERSION[kind](integers())
    output = layer.forward(given)
    np.testing.assert_array_equal(output, expected)
    assert output.dtype == np.float64 and type(output) is np.ndarray


@pytest.mark.parametrize("kind", ACCEPTED)
@pytest.mark.parametrize(
    "make",
    [chainrule.Activation_ReLU, chainrule.Activation_Tanh, chainrule.Activation_Softmax],
    ids=["relu", "tanh", "softmax"],
)
def test_an_activation_converts_its_inputs(kind: str, make: Any) -> None:
    """float32 and float64 are kept, any other real input becomes float64."""
    given = NEEDS_CONVERSION[kind](integers() / 8 if "int" not in kind else integers())
    activation = make()
    output = activation.forward(given)
    kept = np.float32 if kind == "other float" else np.float64
    expected = make().forward(np.ascontiguousarray(np.asarray(given), dtype=kept))
    assert output.dtype == kept
    np.testing.assert_array_equal(output, expected)


def test_an_activation_keeps_float32(dtype: Any) -> None:
    for make in (chainrule.Activation_ReLU, chainrule.Activation_Sigmoid):
        assert make().forward(integers().astype(dtype)).dtype == dtype
        assert make().forward(integers().astype(np.dtype(dtype).newbyteorder())).dtype == dtype


def test_a_layer_takes_memory_maps_and_read_only_arrays(layer: Any, tmp_path: Path) -> None:
    expected = layer.forward(integers())
    mapped = np.memmap(tmp_path / "inputs", dtype=np.float64, mode="w+", shape=(N, D))
    mapped[...] = integers()
    np.testing.assert_array_equal(layer.forward(mapped), expected)
    frozen = integers()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(layer.forward(frozen), expected)


def test_a_layer_takes_data_frames(layer: Any) -> None:
    pandas = pytest.importorskip("pandas")
    expected = layer.forward(integers())
    frame = pandas.DataFrame(integers(), columns=list("abcd"))
    np.testing.assert_array_equal(layer.forward(frame), expected)
    mixed = frame.astype({"a": "int64", "b": "float32"})
    np.testing.assert_array_equal(layer.forward(mixed), expected)


def test_a_layer_takes_no_samples(layer: Any) -> None:
    assert layer.forward(np.zeros((0, D))).shape == (0, M)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_layer_refuses_what_is_not_real_numbers(kind: str, layer: Any) -> None:
    """TypeError with the layer and the argument in its text, and nothing is changed."""
    layer.forward(integers())
    before = {k: v.copy() for k, v in layer.__dict__.items() if isinstance(v, np.ndarray)}
    with pytest.raises(TypeError) as caught:
        layer.forward(NEEDS_CONVERSION[kind](integers()))
    assert str(caught.value).startswith("Layer_Dense(4, 3): inputs: expected ")
    for name, value in before.items():
        np.testing.assert_array_equal(layer.__dict__[name], value)


def test_a_layer_refuses_sparse_and_ragged_inputs(layer: Any) -> None:
    class Sparse:
        """What scipy.sparse matrices look like from outside."""

        shape = (N, D)

        def toarray(self) -> Array:
            return integers()

    with pytest.raises(TypeError, match=r"inputs: expected .*sparse"):
        layer.forward(Sparse())
    with pytest.raises(ValueError, match="inputs: expected"):
        layer.forward([[1.0, 2.0], [3.0]])


def test_a_layer_puts_its_label_before_a_wrong_shape(layer: Any) -> None:
    for given, got in ((np.zeros((5, 10)), "(5, 10)"), (np.zeros((2, 2, 4)), "(2, 2, 4)")):
        with pytest.raises(ValueError) as caught:
            layer.forward(given)
        assert str(caught.value) == f"Layer_Dense(4, 3): inputs: expected (n, 4), got {got}"


@pytest.mark.parametrize("kind", ["list", "int32", "other float"])
def test_dvalues_and_targets_are_converted_too(kind: str, layer: Any) -> None:
    layer.forward(integers())
    dvalues = np.arange(N * M, dtype=np.float64).reshape(N, M)
    expected = layer.backward(dvalues)
    np.testing.assert_array_equal(layer.backward(NEEDS_CONVERSION[kind](dvalues)), expected)
    loss = chainrule.Loss_MeanSquaredError()
    given = NEEDS_CONVERSION[kind](dvalues)
    assert loss.calculate(layer.output, given) == loss.calculate(layer.output, dvalues)


def test_labels_of_any_integer_are_taken() -> None:
    outputs = np.full((N, M), 1 / 3)
    loss = chainrule.Loss_CategoricalCrossentropy()
    labels = [0, 1, 2, 0, 1]
    expected = loss.calculate(outputs, np.array(labels))
    for given in (labels, tuple(labels), np.array(labels, "u1"), np.array(labels, ">i4")):
        assert loss.calculate(outputs, given) == expected


def test_labels_that_are_no_labels_are_refused() -> None:
    outputs = np.full((N, M), 1 / 3)
    loss = chainrule.Loss_CategoricalCrossentropy()
    with pytest.raises(TypeError, match=r"y_true: expected integer class labels, got float64"):
        loss.calculate(outputs, np.zeros(N))
    with pytest.raises(ValueError, match=r"y\.ravel\(\)"):
        loss.calculate(outputs, np.zeros((N, 1), dtype=np.int64))
    with pytest.raises(ValueError, match="y_true: label 3 at index 4: expected 0 to 2"):
        loss.calculate(outputs, [0, 1, 2, 0, 3])
