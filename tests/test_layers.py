"""Layers: values against the reference, and the object rules of parameters and inputs."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import Layer_Dense, Layer_Dropout, Layer_Input, Layer_Scale
from chainrule.layers.parameters import slots_of
from chainrule.schedules import Constant, Cosine
from tolerance import assert_within, gamma, wider


def dense(rng: np.random.Generator, d: int, m: int, dtype: Any, **settings: Any) -> Layer_Dense:
    layer = Layer_Dense(d, m, dtype=dtype, rng=rng, init="torch", **settings)
    assert layer.biases.any()
    return layer


@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 1, 1), (5, 7, 3), (33, 17, 19)])
def test_dense_computes_the_reference_forward_and_backward(
    rng: np.random.Generator, dtype: Any, shape: tuple[int, int, int]
) -> None:
    n, d, m = shape
    layer = dense(rng, d, m, dtype)
    inputs = rng.standard_normal((n, d)).astype(dtype)
    dvalues = rng.standard_normal((n, m)).astype(dtype)
    output = layer.forward(inputs)
    dinputs = layer.backward(dvalues)
    x, w, b, g = map(wider, (inputs, layer.weights, layer.biases, dvalues))
    assert_within(output, x @ w + b, gamma(d + 1, dtype) * (abs(x) @ abs(w) + abs(b)))
    assert_within(layer.dweights, x.T @ g, gamma(n + 1, dtype) * (abs(x).T @ abs(g)))
    bound = gamma(n + 1, dtype) * abs(g).sum(axis=0, keepdims=True)
    assert_within(layer.dbiases, g.sum(axis=0, keepdims=True), bound)
    assert_within(dinputs, g @ w.T, gamma(m + 1, dtype) * (abs(g) @ abs(w).T))
    assert layer.inputs is inputs and layer.output is output and layer.dinputs is dinputs


def test_regularisation_adds_to_the_gradients_and_takes_sign_of_zero_as_plus_one(
    dtype: Any,
) -> None:
    layer = Layer_Dense(2, 2, 0.5, 0.25, 2.0, 4.0, dtype=dtype)
    layer.weights = [[0.0, -1.0], [2.0, -0.0]]
    layer.biases = [3.0, -1.0]
    layer.forward(np.zeros((1, 2), dtype=dtype))
    layer.backward(np.zeros((1, 2), dtype=dtype))
    np.testing.assert_array_equal(layer.dweights, [[0.5, -1.0], [1.5, 0.5]])
    np.testing.assert_array_equal(layer.dbiases, [[26.0, -10.0]])


def test_forward_gives_a_fresh_array_each_time() -> None:
    layer = Layer_Dense(3, 2)
    first = layer.forward(np.ones((4, 3)))
    assert layer.forward(np.ones((4, 3))) is not first


def test_default_weights_are_randn_looked_up_when_the_layer_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.random.seed(3)  # noqa: NPY002
    expected = 0.01 * np.random.randn(4, 5)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    layer = Layer_Dense(4, 5)
    np.testing.assert_array_equal(layer.weights, expected)
    assert not layer.biases.any() and layer.biases.shape == (1, 5)
    plain = np.random.randn
    monkeypatch.setattr(np.random, "randn", lambda *shape: plain(*shape).astype(np.float32))
    assert Layer_Dense(4, 5).dtype == np.float32
    assert Layer_Dense(4, 5, rng=0).dtype == np.float32
    assert Layer_Dense(4, 5, dtype=np.float64).dtype == np.float64


def test_weight_scale_may_be_given_or_set_on_the_class() -> None:
    class Wide(Layer_Dense):
        weight_scale = 2.0

    unit = Layer_Dense(3, 4, weight_scale=1.0, rng=5)
    np.testing.assert_array_equal(Wide(3, 4, rng=5).weights, 2.0 * unit.weights)
    with pytest.raises(ValueError, match="weight_scale: expected init='notebook'"):
        Layer_Dense(3, 4, weight_scale=1.0, init="he_normal")


@pytest.mark.parametrize("init", ["notebook", "glorot_uniform", "he_normal", "lecun_normal"])
def test_an_init_has_the_spread_of_its_formula_and_zero_biases(init: str, dtype: Any) -> None:
    d, m = 200, 300
    layer = Layer_Dense(d, m, init=init, rng=1, dtype=dtype)
    deviation = {
        "notebook": 0.01,
        "glorot_uniform": np.sqrt(6 / (d + m) / 3),
        "he_normal": np.sqrt(2 / d),
        "lecun_normal": np.sqrt(1 / d),
    }[init]
    # Of a sample's standard deviation the relative spread is at most 1 / sqrt(2 N); six of them.
    assert abs(layer.weights.std() / deviation - 1) < 6 / np.sqrt(2 * d * m)
    assert not layer.biases.any()
    if init == "glorot_uniform":
        assert abs(layer.weights).max() <= np.sqrt(6 / (d + m))


def test_torch_init_is_uniform_with_biases() -> None:
    layer = Layer_Dense(100, 50, init="torch", rng=1)
    assert abs(layer.weights).max() <= 0.1 and abs(layer.biases).max() <= 0.1
    assert abs(layer.weights).max() > 0.099 and layer.biases.any()


def test_rng_repeats_and_both_dtypes_draw_the_same_numbers() -> None:
    for init in ("notebook", "glorot_uniform", "he_normal", "lecun_normal", "torch"):
        double = Layer_Dense(6, 5, init=init, rng=9)
        single = Layer_Dense(6, 5, init=init, rng=np.random.default_rng(9), dtype="float32")
        np.testing.assert_array_equal(double.weights.astype(np.float32), single.weights)
        np.testing.assert_array_equal(double.biases.astype(np.float32), single.biases)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0, 2), ValueError, "n_inputs: expected an int of at least 1, got 0"),
        ((2, -1), ValueError, "n_neurons: expected an int of at least 1, got -1"),
        ((2.0, 2), TypeError, "n_inputs: expected an int of at least 1, got 2.0"),
        ((True, 2), TypeError, "n_inputs: expected an int"),
        ((2, 2, -0.1), ValueError, "weight_regularizer_l1: expected a number of at least 0"),
        ((2, 2, 0, float("nan")), ValueError, "weight_regularizer_l2"),
        ((2, 2, 0, 0, "x"), TypeError, "bias_regularizer_l1"),
    ],
)
def test_a_bad_argument_is_named(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"Layer_Dense: {text}"):
        Layer_Dense(*arguments)


def test_bad_keywords_are_named() -> None:
    with pytest.raises(ValueError, match="dtype: expected float32 or float64, got int64"):
        Layer_Dense(2, 2, dtype=np.int64)
    with pytest.raises(ValueError, match=r"init: expected 'notebook'.*got 'magic'"):
        Layer_Dense(2, 2, init="magic")
    with pytest.raises(TypeError, match=r"rng: expected a numpy.random.Generator or a seed"):
        Layer_Dense(2, 2, rng="seed")


@pytest.mark.parametrize("seed", [7, np.int64(7), [1, 2], (1, 2), np.array([1, 2]), 2**100])
def test_a_seed_means_what_it_means_to_numpy(seed: Any) -> None:
    expected = 0.01 * np.random.default_rng(seed).standard_normal((3, 2))
    np.testing.assert_array_equal(Layer_Dense(3, 2, rng=seed).weights, expected)
    sequence = np.random.SeedSequence(5)
    assert Layer_Dense(3, 2, rng=sequence).weights.any()


@pytest.mark.parametrize("seed", [1.5, True, "1", np.ones((1, 1), int).view(np.matrix), [1.0], {1}])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"rng: expected a numpy.random.Generator or a seed, got"):
        Layer_Dense(3, 2, rng=seed)


def test_assigning_weights_keeps_the_very_array_and_views_live(dtype: Any) -> None:
    layer = Layer_Dense(3, 2, dtype=dtype)
    weights = np.ones((3, 2), dtype=dtype)
    layer.weights = weights
    assert layer.weights is weights and layer.__dict__["weights"] is weights
    view = layer.weights[0]
    layer.weights += 1
    assert layer.weights is weights and view[0] == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: [[1, 2], [3, 4], [5, 6]],
        lambda: np.arange(1, 7).reshape(3, 2),
        lambda: np.asfortranarray(np.arange(1.0, 7.0).reshape(3, 2)),
        lambda: np.arange(1.0, 7.0).reshape(3, 2).astype(">f8"),
        lambda: np.arange(1.0, 7.0).reshape(3, 2).astype("float16"),
        lambda: np.repeat(np.arange(1.0, 7.0).reshape(3, 2), 2, axis=1)[:, ::2],
        lambda: np.frombuffer(np.arange(1.0, 7.0).tobytes()).reshape(3, 2),
    ],
)
def test_other_arrays_become_one_converted_copy(make: Any, dtype: Any) -> None:
    layer = Layer_Dense(3, 2, dtype=dtype)
    layer.weights = make()
    held = layer.weights
    assert held.dtype == dtype and held.flags.c_contiguous and held.flags.writeable
    np.testing.assert_array_equal(held, np.arange(1, 7).reshape(3, 2))


def test_flat_biases_become_a_row() -> None:
    layer = Layer_Dense(3, 2)
    layer.biases = np.array([1.0, 2.0])
    assert layer.biases.shape == (1, 2)


@pytest.mark.parametrize("name", ["weights", "biases"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (np.ones((2, 3)), ValueError),
        (np.ones(7), ValueError),
        (1.0, ValueError),
        ([[1.0], [1.0, 2.0]], ValueError),
        (np.ma.masked_array(np.ones((3, 2))), TypeError),
        (np.ones((3, 2), dtype=complex), TypeError),
        (np.full((3, 2), None), TypeError),
        ("weights", TypeError),
    ],
)
def test_a_refused_parameter_changes_nothing(name: str, value: Any, error: type[Exception]) -> None:
    layer = Layer_Dense(3, 2)
    held = getattr(layer, name)
    before = held.copy()
    with pytest.raises(error, match=rf"Layer_Dense\(3, 2\): {name}: expected"):
        setattr(layer, name, value)
    assert getattr(layer, name) is held
    np.testing.assert_array_equal(held, before)


def test_parameters_go_out_as_copies_and_in_in_place() -> None:
    layer, other = Layer_Dense(3, 2), Layer_Dense(3, 2)
    held = other.weights
    weights, biases = layer.get_parameters()
    assert weights is not layer.weights
    other.set_parameters(weights, biases[0])
    assert other.weights is held
    np.testing.assert_array_equal(held, layer.weights)
    with pytest.raises(ValueError, match=r"biases: expected \(1, 2\), got \(3,\)"):
        other.set_parameters(np.ones((3, 2)), np.ones(3))
    np.testing.assert_array_equal(held, layer.weights)


def test_a_layer_is_pickled_and_copied_with_all_its_state_but_the_samples_of_a_pass() -> None:
    layer = Layer_Dense(3, 2, weight_regularizer_l2=0.5)
    layer.note = "mine"  # type: ignore[attr-defined]
    layer.forward(np.ones((4, 3)))
    layer.backward(np.ones((4, 2)))
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        left = layer.__dict__.keys() - twin.__dict__.keys()
        assert left == {"inputs", "output", "dinputs"}
        np.testing.assert_array_equal(twin.dweights, layer.dweights)
        assert twin.__dict__.keys() <= layer.__dict__.keys()
        assert twin.note == "mine" and twin.weights is not layer.weights
        np.testing.assert_array_equal(twin.weights, layer.weights)
        twin.weights = np.ones((3, 2))
        with pytest.raises(ValueError):
            twin.weights = np.ones((2, 2))


def test_a_subclass_may_extend_forward_and_constructor() -> None:
    class Doubled(Layer_Dense):
        def __init__(self, size: int) -> None:
            super().__init__(size, size)
            self.weights = np.eye(size)

        def forward(self, inputs: Any, training: bool = False) -> Any:
            return 2 * super().forward(inputs, training)

    layer = Doubled(3)
    np.testing.assert_array_equal(layer.forward(np.ones((1, 3))), 2 * np.ones((1, 3)))
    assert repr(layer) == "Doubled(3, 3, dtype=float64)"


def awkward(kind: str, values: np.ndarray[Any, Any], folder: Path) -> Any:
    """The same numbers in a form that the core does not take as it is."""
    if kind == "list":
        return values.tolist()
    if kind == "ints":
        return values.astype(np.int16)
    if kind == "bools":
        return values.astype(bool)
    if kind == "fortran":
        return np.asfortranarray(values)
    if kind == "strided":
        return np.repeat(values, 3, axis=0)[::3]
    if kind == "reversed":
        return values[::-1].copy()[::-1]
    if kind == "read-only":
        frozen = values.copy()
        frozen.flags.writeable = False
        return frozen
    if kind == "byte-swapped":
        return values.astype(values.dtype.newbyteorder())
    if kind == "misaligned":
        raw = np.zeros(values.nbytes + 1, dtype=np.uint8)
        shifted = raw[1:].view(values.dtype).reshape(values.shape)
        shifted[...] = values
        return shifted
    if kind == "memory-mapped":
        path = folder / "inputs.npy"
        np.save(path, values)
        return np.load(path, mmap_mode="r")
    if kind == "matrix":
        return values.view(np.recarray)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(values)
    return frame.astype("Int64") if kind == "nullable" else frame


@pytest.mark.parametrize(
    "kind",
    [
        "list",
        "ints",
        "bools",
        "fortran",
        "strided",
        "reversed",
        "read-only",
        "byte-swapped",
        "misaligned",
        "memory-mapped",
        "matrix",
        "frame",
        "nullable",
    ],
)
def test_awkward_inputs_give_the_same_bits(kind: str, dtype: Any, tmp_path: Path) -> None:
    layer = Layer_Dense(3, 2, dtype=dtype, rng=1)
    values = (np.arange(12).reshape(4, 3) % 2).astype(dtype)
    plain = layer.forward(values)
    layer.backward(plain)
    dweights, dinputs = layer.dweights, layer.dinputs
    inputs = awkward(kind, values, tmp_path)
    output = layer.forward(inputs)
    assert layer.inputs is inputs
    np.testing.assert_array_equal(output, plain)
    layer.backward(plain.tolist())
    np.testing.assert_array_equal(layer.dweights, dweights)
    np.testing.assert_array_equal(layer.dinputs, dinputs)


class Sparse:
    def toarray(self) -> Any:
        return np.ones((2, 3))


@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        (np.ones((5, 4)), ValueError, r"expected \(n, 3\), got \(5, 4\)"),
        (np.ones(4), ValueError, r"expected \(n, 3\), got \(4,\)$"),
        (np.ones((2, 2, 3)), ValueError, "expected .*got"),
        (None, TypeError, "expected real numbers, got NoneType"),
        ("text", TypeError, "expected real numbers, got str"),
        ([["1", "2", "3"]], TypeError, "expected real numbers, got an array of dtype"),
        (np.ones((2, 3), dtype=complex), TypeError, "expected real numbers, got .*complex128"),
        (np.ones((2, 3), dtype=object), TypeError, "expected real numbers, got .*object"),
        (np.zeros((2, 3), dtype="M8[s]"), TypeError, "expected real numbers, got .*datetime"),
        (np.ma.masked_array(np.ones((2, 3))), TypeError, "expected a plain array, got a masked"),
        (Sparse(), TypeError, "expected a dense array, got a sparse Sparse"),
        ([[1.0, 2.0, 3.0], [1.0]], ValueError, "expected a rectangular array of numbers"),
    ],
)
def test_refused_inputs_are_named_and_change_nothing(
    inputs: Any, error: type[Exception], text: str
) -> None:
    layer = Layer_Dense(3, 2)
    with pytest.raises(error, match=rf"^Layer_Dense\(3, 2\): inputs: {text}"):
        layer.forward(inputs)
    assert "output" not in layer.__dict__ and "inputs" not in layer.__dict__


@pytest.mark.parametrize("shape", [(4, 3), (3, 2), (4,)])
def test_refused_dvalues_are_named_and_change_nothing(shape: tuple[int, ...]) -> None:
    layer = Layer_Dense(3, 2)
    layer.forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"Layer_Dense\(3, 2\): dvalues: expected"):
        layer.backward(np.ones(shape))
    assert "dweights" not in layer.__dict__


@pytest.mark.parametrize("layer", [Layer_Dense(3, 2), Layer_Dropout(0.5)])
def test_backward_before_forward_is_refused(layer: Any) -> None:
    with pytest.raises(ValueError, match="backward: expected a forward call before it"):
        layer.backward(np.ones((1, 2)))


def test_dropout_is_the_documented_philox_stream(rng: np.random.Generator, dtype: Any) -> None:
    layer = Layer_Dropout(0.3, rng=7)
    inputs = rng.standard_normal((9, 5)).astype(dtype)
    for step in range(3):
        assert layer.step == step
        expected, mask = reference.dropout_forward(inputs, layer.rate, layer.key, step)
        output = layer.forward(inputs, training=True)
        np.testing.assert_array_equal(layer.binary_mask, mask)
        np.testing.assert_array_equal(output, expected)
        dvalues = rng.standard_normal((9, 5)).astype(dtype)
        np.testing.assert_array_equal(layer.backward(dvalues), dvalues * mask)


def test_dropout_keeps_its_share() -> None:
    layer = Layer_Dropout(0.1, rng=1)
    assert layer.rate == 0.9 and repr(layer) == "Layer_Dropout(0.1)"
    output = layer.forward(np.ones((1000, 100)), training=True)
    share = np.count_nonzero(output) / output.size
    assert abs(share - 0.9) < 6 * np.sqrt(0.9 * 0.1 / output.size)  # six standard deviations
    assert set(np.unique(output)) == {0.0, 1 / layer.rate}


def test_dropout_without_training_copies_and_passes_gradients_on() -> None:
    layer = Layer_Dropout(0.5, rng=1)
    inputs = np.ones((3, 4))
    layer.forward(inputs, training=True)
    step = layer.step
    output = layer.forward(inputs, training=False)
    assert output is not inputs and layer.step == step
    np.testing.assert_array_equal(output, inputs)
    np.testing.assert_array_equal(layer.backward(2 * inputs), 2 * inputs)


def test_dropout_key_comes_from_numpy_random_or_rng() -> None:
    np.random.seed(4)  # noqa: NPY002
    first = Layer_Dropout(0.5).key
    np.random.seed(4)  # noqa: NPY002
    assert Layer_Dropout(0.5).key == first
    assert Layer_Dropout(0.5, rng=3).key == Layer_Dropout(0.5, rng=3).key
    assert Layer_Dropout(0.0, rng=3).forward([[1, 2]], True).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("rate", [1.0, -0.1, 2, float("nan")])
def test_dropout_rate_outside_its_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="Layer_Dropout: rate: expected a number of at least 0"):
        Layer_Dropout(rate)


def test_a_lone_call_of_a_dropout_layer_drops() -> None:
    """As the classes do that it takes the place of; a model says which it wants."""
    layer, twin = Layer_Dropout(0.5, rng=1), Layer_Dropout(0.5, rng=1)
    inputs = np.ones((40, 8))
    output = layer.forward(inputs)
    np.testing.assert_array_equal(output, twin.forward(inputs, True))
    assert set(np.unique(output)) == {0.0, 2.0} and layer.step == 1
    layer.forward(inputs, training=False)
    assert not hasattr(layer, "binary_mask") and layer.step == 1


def test_a_schedule_multiplies_the_dropped_share(dtype: Any) -> None:
    layer = Layer_Dropout(0.4, rng=3, schedule=Cosine())
    inputs = np.ones((50, 7), dtype=dtype)
    for step, share in enumerate((0.0, 0.25, 0.5, 0.9)):
        layer.training_share = share
        kept = 1 - (1 - layer.rate) * (1 + np.cos(np.pi * share)) / 2
        expected, mask = reference.dropout_forward(inputs, kept, layer.key, step)
        np.testing.assert_array_equal(layer.forward(inputs), expected)
        np.testing.assert_array_equal(layer.binary_mask, mask)
    np.testing.assert_array_equal(
        layer.kept_shares(np.array([0.0, 0.5])), [layer.rate, 1 - (1 - layer.rate) * 0.5]
    )
    np.testing.assert_array_equal(Layer_Dropout(0.3).kept_shares(np.zeros(2)), [0.7, 0.7])
    assert repr(layer) == "Layer_Dropout(0.4, schedule=Cosine(end=0.0))"


def test_a_scheduled_dropout_needs_a_share_and_leaves_something() -> None:
    layer = Layer_Dropout(0.5, rng=3, schedule=Constant())
    with pytest.raises(ValueError, match="Layer_Dropout: training_share: expected the share"):
        layer.forward(np.ones((2, 2)))
    assert layer.step == 0 and not hasattr(layer, "output")
    layer.forward(np.ones((2, 2)), training=False)
    layer.training_share = 0.5
    for bad, text in (
        (lambda t: 2 * np.ones_like(t), "dropped share below 1, got a dropped share of 1"),
        (lambda t: -np.ones_like(t), "expected finite multipliers of at least 0, got -1.0"),
        (lambda t: t * np.nan, "multipliers of at least 0, got nan at the share 0.5"),
        (lambda t: 1.0, r"a multiplier for each share, \(1,\), got \(\)"),
    ):
        layer.schedule = bad
        with pytest.raises(ValueError, match=f"Layer_Dropout: schedule: .*{text}"):
            layer.forward(np.ones((2, 2)))
    assert layer.step == 0
    with pytest.raises(TypeError, match=r"schedule: expected an instance, got the class Cosine"):
        Layer_Dropout(0.5, schedule=Cosine)
    with pytest.raises(TypeError, match=r"schedule: expected a function of an array of shares"):
        Layer_Dropout(0.5, schedule=0.5)


def test_input_layer_hands_its_inputs_on() -> None:
    layer = Layer_Input()
    inputs = np.ones((2, 2))
    assert layer.forward(inputs, training=True) is inputs and layer.output is inputs
    assert layer.backward(inputs) is inputs and repr(layer) == "Layer_Input()"


def test_repr_tells_sizes_strengths_and_dtype() -> None:
    assert repr(Layer_Dense(64, 10, dtype=np.float32)) == "Layer_Dense(64, 10, dtype=float32)"
    layer = Layer_Dense(4, 2, weight_regularizer_l2=5e-4)
    assert repr(layer) == "Layer_Dense(4, 2, weight_regularizer_l2=0.0005, dtype=float64)"
    assert (layer.n_inputs, layer.n_neurons, layer.dtype) == (4, 2, np.float64)


# One sample


def test_one_sample_is_taken_as_one_row(dtype: Any) -> None:
    for layer in (Layer_Dense(3, 2, dtype=dtype, rng=1), Layer_Scale(3, dtype=dtype)):
        rows = np.array([[1, -2, 0.5]], dtype=dtype)
        expected = layer.forward(rows)
        dinputs = layer.backward(expected)
        dweights = layer.dweights
        for sample in (rows[0], rows[0].tolist(), rows[0].astype(np.float64)):
            output = layer.forward(sample)
            np.testing.assert_array_equal(output, expected)
            assert layer.inputs is sample and output.shape == expected.shape
            np.testing.assert_array_equal(layer.backward(expected), dinputs)
            np.testing.assert_array_equal(layer.dweights, dweights)


@pytest.mark.parametrize("make", [lambda: Layer_Dense(1, 3), lambda: Layer_Scale(1)])
def test_several_values_for_one_input_are_told_how_to_become_a_column(make: Any) -> None:
    layer = make()
    text = r"inputs: expected \(n, 1\), got \(5,\); .* a column: "
    with pytest.raises(ValueError, match=text + r"x\[:, None\]$"):
        layer.forward(np.ones(5))
    with pytest.raises(ValueError, match=text + r"np.asarray\(x\)\[:, None\]$"):
        layer.forward([1.0] * 5)
    assert layer.forward(np.ones(1)).shape == layer.forward(np.ones(1)[:, None]).shape


# Without biases, with given arrays, with a notebook's names


def test_without_biases_the_output_is_the_product(rng: np.random.Generator, dtype: Any) -> None:
    layer = Layer_Dense(5, 3, bias=False, dtype=dtype, rng=2, init="torch")
    twin = Layer_Dense(5, 3, dtype=dtype, weights=layer.weights.copy())
    inputs, dvalues = (rng.standard_normal(shape).astype(dtype) for shape in ((7, 5), (7, 3)))
    np.testing.assert_array_equal(layer.forward(inputs), twin.forward(inputs))
    np.testing.assert_array_equal(layer.forward(inputs.tolist()), layer.output)
    np.testing.assert_array_equal(layer.backward(dvalues), twin.backward(dvalues))
    np.testing.assert_array_equal(layer.dweights, twin.dweights)
    assert layer.biases is None and layer.dbiases is None
    assert [slot.name for slot in slots_of(layer)] == ["weights"]
    weights, biases = layer.get_parameters()
    assert biases is None and weights is not layer.weights
    layer.set_parameters(2 * weights)
    np.testing.assert_array_equal(layer.weights, 2 * weights)
    with pytest.raises(ValueError, match="biases: expected None, since the layer has none"):
        layer.set_parameters(weights, np.ones((1, 3)))
    assert repr(layer) == f"Layer_Dense(5, 3, bias=False, dtype={layer.dtype})"


def test_torch_init_without_biases_draws_none() -> None:
    with_biases, without, after = (np.random.default_rng(3) for _ in range(3))
    weights = Layer_Dense(4, 2, init="torch", rng=with_biases).weights
    np.testing.assert_array_equal(
        Layer_Dense(4, 2, init="torch", rng=without, bias=False).weights, weights
    )
    after.uniform(size=8)
    assert without.random() == after.random()


def test_biases_may_be_given_to_a_layer_without() -> None:
    layer = Layer_Dense(2, 3, bias=False, dtype=np.float32)
    with pytest.raises(ValueError, match=r"biases: expected \(1, 3\), got \(2,\)"):
        layer.biases = np.ones(2)
    assert layer.biases is None
    layer.biases = [1, 2, 3]
    assert layer.biases.shape == (1, 3) and layer.biases.dtype == np.float32
    np.testing.assert_array_equal(layer.forward(np.zeros((1, 2))), [[1, 2, 3]])


def test_given_parameters_are_kept_and_nothing_is_drawn(dtype: Any) -> None:
    weights, biases = np.ones((4, 2), dtype=dtype), np.ones((1, 2), dtype=dtype)
    np.random.seed(5)  # noqa: NPY002
    layer = Layer_Dense(weights=weights, biases=biases)
    assert layer.weights is weights and layer.biases is biases and layer.dtype == dtype
    assert Layer_Dense(4, 2, weights=weights).biases.shape == (1, 2)
    lists = Layer_Dense(weights=[[1, 2, 3]], biases=[1, 2, 3], init="notebook")
    assert lists.weights.dtype == np.float64 and lists.biases.shape == (1, 3)
    assert Layer_Dense(weights=weights, dtype=np.float32).dtype == np.float32
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert np.random.random() == drawn  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    given = Layer_Dense(4, 2, biases=[3, 4])
    np.random.seed(5)  # noqa: NPY002
    np.testing.assert_array_equal(given.weights, Layer_Dense(4, 2).weights)
    np.testing.assert_array_equal(given.biases, [[3, 4]])


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"weights": np.ones((2, 3)), "n_inputs": 3}, ValueError, r"weights: expected \(3, 3\), g"),
        ({"weights": np.ones((2, 3)), "n_neurons": 2}, ValueError, r"weights: expected \(2, 2\)"),
        ({"weights": np.ones(3)}, ValueError, r"weights: expected \(n_inputs, n_neurons\), got"),
        ({"weights": np.ones((0, 3))}, ValueError, r"weights: expected \(n_inputs, n_neurons\)"),
        ({"weights": [["a"]]}, TypeError, "weights: expected real numbers"),
        ({"weights": np.ones((2, 3)), "init": "torch"}, ValueError, "weights: expected no init"),
        ({"weights": np.ones((2, 3)), "weight_scale": 1.0}, ValueError, "no weight_scale"),
        ({"weights": np.ones((2, 3)), "biases": [1]}, ValueError, r"biases: expected \(1, 3\)"),
        ({"n_inputs": 2, "n_neurons": 2, "biases": [1]}, ValueError, r"biases: expected \(1, 2\)"),
        (
            {"n_inputs": 2, "n_neurons": 2, "biases": [1, 2], "bias": False},
            ValueError,
            "biases: expected none with bias=False",
        ),
        ({"n_inputs": 2}, TypeError, "n_neurons: expected an int of at least 1, got None"),
        ({"n_inputs": 2, "inputs": 2, "neurons": 2}, TypeError, "n_inputs or inputs, got both"),
        ({"inputs": 0, "neurons": 2}, ValueError, "n_inputs: expected an int of at least 1"),
    ],
)
def test_sizes_and_given_arrays_that_do_not_agree_are_named(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=f"Layer_Dense: .*{text}"):
        Layer_Dense(**arguments)


def test_a_notebooks_names_of_the_sizes_serve_too() -> None:
    np.random.seed(2)  # noqa: NPY002
    layer = Layer_Dense(inputs=4, neurons=3)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(layer.weights, Layer_Dense(4, 3).weights)
    assert Layer_Dense(4, neurons=3).n_neurons == 3


# Factors


def test_factors_are_checked_and_shown() -> None:
    layer = Layer_Dense(
        2, 2, learning_rate_factor=0.5, weight_decay_factor=[0, 1], epsilon_factor=(2, 3)
    )
    assert layer.learning_rate_factor == 0.5
    assert layer.weight_decay_factor == (0.0, 1.0) and layer.epsilon_factor == (2.0, 3.0)
    text = "learning_rate_factor=0.5, weight_decay_factor=(0.0, 1.0), epsilon_factor=(2.0, 3.0)"
    assert repr(layer) == f"Layer_Dense(2, 2, {text}, dtype=float64)"
    assert (
        repr(Layer_Scale(3, epsilon_factor=2)) == "Layer_Scale(3, epsilon_factor=2, dtype=float64)"
    )
    weights, biases = slots_of(layer)
    assert weights.factor(layer, "learning_rate_factor") == 0.5
    assert biases.factor(layer, "epsilon_factor") == 3.0
    assert (weights.decay_factor(layer), biases.decay_factor(layer)) == (0.0, 1.0)
    plain = Layer_Dense(2, 2, weight_decay_factor=0.25)
    assert (weights.decay_factor(plain), biases.decay_factor(plain)) == (0.25, 0.0)
    for name in ("learning_rate_factor", "weight_decay_factor", "epsilon_factor"):
        for kind, sizes in ((Layer_Dense, (2, 2)), (Layer_Scale, (2,))):
            for bad in (-1, "x", (1, 2, 3), (1, -2), float("nan"), None):
                with pytest.raises((TypeError, ValueError), match=f"{kind.__name__}: {name}"):
                    kind(*sizes, **{name: bad})


# Neighbours


@pytest.mark.parametrize("layer", [Layer_Dense(3, 2), Layer_Dropout(0.5), Layer_Scale(3)])
def test_a_layer_alone_is_copied_without_its_neighbours(layer: Any) -> None:
    assert layer.prev is None and layer.next is None and layer.trainable is True
    layer.prev, layer.next, layer.note = Layer_Input(), Layer_Input(), "mine"
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer), copy.copy(layer)):
        assert twin.prev is None and twin.next is None and twin.note == "mine"
        assert twin.__dict__.keys() == layer.__dict__.keys() - {"prev", "next"}
    assert isinstance(layer.prev, Layer_Input)
