"""Periodic features, embeddings and parametric activations in models, in files and in copies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import (
    Activation_LeakyReLU,
    Layer_Dense,
    Layer_Embedding,
    Layer_ParametricActivation,
    Layer_PeriodicFeatures,
    Layer_Scale,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adam,
    Optimizer_SGD,
    gradcheck,
)
from chainrule.model.summary import summary_text
from chainrule.training.predicting import packed_net
from test_saving_damage import joined, split

Array = np.ndarray[Any, Any]
SIZES = (4, 3)

LAYERS: dict[str, Callable[..., Any]] = {
    "periodic": lambda **more: Layer_PeriodicFeatures(
        5, 2, n_frequencies=3, n_outputs=3, frequency_scale=0.3, rng=1, **more
    ),
    "embedding": lambda **more: Layer_Embedding(5, SIZES, 3, rng=2, **more),
    "parametric": lambda **more: Layer_ParametricActivation(5, Activation_LeakyReLU(0.2), **more),
}


def table(n: int = 24) -> tuple[Array, Array]:
    """Three numbers and two codes a row, and a target."""
    rng = np.random.default_rng(5)
    codes = [rng.integers(0, size, n) for size in SIZES]
    X = np.concatenate([rng.standard_normal((n, 3)), np.stack(codes, axis=1)], axis=1)
    return X, rng.standard_normal((n, 1))


def tabular_model(dtype: Any = np.float64, optimizer: Any = None) -> Model:
    """Features of two columns, tables of two, factors, and two parametric layers."""
    model = Model()
    factors = {"learning_rate_factor": (1.0, 0.5, 0.25, 2.0), "weight_decay_factor": (0, 0, 1, 0)}
    for layer in (
        Layer_PeriodicFeatures(5, 2, n_frequencies=3, n_outputs=3, frequency_scale=0.3, dtype=dtype,
                               rng=1, **factors),
        Layer_Embedding(9, SIZES, 3, dtype=dtype, rng=2, learning_rate_factor=0.5),
        Layer_Scale(13, dtype=dtype),
        Layer_Dense(13, 6, weight_scale=0.4, dtype=dtype, rng=3),
        Layer_ParametricActivation(6, Activation_LeakyReLU(0.2), dtype=dtype,
                                   weight_decay_factor=0.0),
        Layer_Dense(6, 4, weight_scale=0.4, dtype=dtype, rng=4),
        Layer_ParametricActivation(4, "mish", dtype=dtype),
        Layer_Dense(4, 1, weight_scale=0.4, dtype=dtype, rng=5),
    ):  # fmt: skip
        model.add(layer)
    model.set(loss=Loss_MeanSquaredError(), optimizer=optimizer or Optimizer_Adam(0.01))
    model.finalize()
    return model


def arrays_of(model: Model) -> list[bytes]:
    return [
        each.tobytes() for layer in model.get_parameters() for each in layer if each is not None
    ]


# Gradients


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_alone_passes_gradcheck(name: str, dtype: Any) -> None:
    X, _ = table(9)
    report = gradcheck(LAYERS[name](dtype=dtype), X)
    assert report, report
    parameters = LAYERS[name]().parameter_names
    assert [row.array for row in report.rows] == ["inputs", *parameters]


def test_a_model_of_all_passes_gradcheck_in_both_ways(dtype: Any) -> None:
    """Whatever an embedding's codes pass through, no step or rounding moves them off."""
    X, y = table()
    report = gradcheck(tabular_model(dtype), X, y)
    assert report, report
    assert {row.way for row in report.rows} == {"layers", "plan"}
    assert all(row.checked + row.at_kinks > 0 for row in report.rows)


@pytest.mark.parametrize("name", ["periodic", "embedding"])
def test_a_wrong_gradient_is_found(name: str) -> None:
    base = type(LAYERS[name]())

    class Doubled(base):  # type: ignore[misc,valid-type]
        def backward(self, dvalues: Any) -> Any:
            found = super().backward(dvalues)
            self.dweights = 2 * self.dweights
            return found

    layer = LAYERS[name]()
    layer.__class__ = Doubled
    report = gradcheck(layer, table(9)[0])
    assert [row.array for row in report.rows if row.verdict == "WRONG"] == ["weights"]


def test_two_models_are_compared_round_the_codes() -> None:
    X, y = table()
    model = tabular_model(np.float32)
    assert cr.compare(model, copy.deepcopy(model), X, y, steps=2).verdict == "equal"
    other = copy.deepcopy(model)
    other.layers[1].weights[0, 0] *= 1 + 2.0**-20
    assert cr.compare(other, model, X, y).verdict == "equal to rounding"
    other.layers[1].weights[0] += 0.1
    assert cr.compare(other, model, X, y).verdict == "different"


# Training


def test_the_optimizer_steps_with_each_arrays_own_factors() -> None:
    layer = LAYERS["periodic"](learning_rate_factor=(1, 2, 4, 8), weight_decay_factor=(0, 1, 2, 4))
    optimizer = Optimizer_SGD(0.5, weight_decay=0.125)
    X, _ = table(4)
    layer.forward(X)
    layer.backward(np.ones_like(layer.output))
    before = layer.get_parameters()
    optimizer.pre_update_params()
    optimizer.update_params(layer)
    for k, (name, w) in enumerate(zip(layer.parameter_names, before, strict=True)):
        decayed = w - 0.5 * 0.125 * (0, 1, 2, 4)[k] * w
        expected = decayed - 0.5 * 2**k * getattr(layer, f"d{name}")
        np.testing.assert_allclose(getattr(layer, name), expected, rtol=1e-14)


def test_one_decay_factor_spares_the_biases_alone() -> None:
    layer = LAYERS["periodic"](weight_decay_factor=1.0)
    layer.forward(table(4)[0])
    layer.backward(np.zeros_like(layer.output))
    before = layer.get_parameters()
    optimizer = Optimizer_SGD(1.0, weight_decay=0.25)
    optimizer.update_params(layer)
    for name, w in zip(layer.parameter_names, before, strict=True):
        np.testing.assert_array_equal(getattr(layer, name), w if name == "biases" else 0.75 * w)


def test_training_is_the_loop_by_hand_and_lowers_the_loss(dtype: Any) -> None:
    X, y = table(40)
    model = tabular_model(dtype, Optimizer_Adam(0.01, weight_decay=0.1))
    by_hand = tabular_model(dtype, Optimizer_Adam(0.01, weight_decay=0.1))
    history = model.train(X, y, epochs=3, batch_size=16, engine="classes")
    for _ in range(3):
        for first in (0, 16, 32):
            rows = slice(first, first + 16)
            output = by_hand.forward(X[rows], training=True)
            by_hand.backward(output, y[rows])
            by_hand.optimizer.pre_update_params()
            for layer in by_hand.trainable_layers:
                by_hand.optimizer.update_params(layer)
            by_hand.optimizer.post_update_params()
    assert arrays_of(model) == arrays_of(by_hand)
    assert history.loss[-1] < history.loss[0]
    assert not hasattr(model.layers[0], "dinputs")  # nothing in front needs it


def test_the_trained_bits_do_not_depend_on_the_threads(restore_threads: None) -> None:
    found = []
    X, y = table(900)
    for threads in (1, 2, 3):
        cr.set_num_threads(threads)
        model = tabular_model(np.float32)
        model.train(X, y, epochs=2, batch_size=450)
        found.append([*arrays_of(model), model.predict(X).tobytes()])
    assert found[0] == found[1] == found[2]


def test_a_frozen_layer_stays() -> None:
    X, y = table()
    model = tabular_model()
    model.layers[1].trainable = False
    before = model.layers[1].weights.copy()
    model.train(X, y, epochs=2, batch_size=8)
    np.testing.assert_array_equal(model.layers[1].weights, before)
    assert (model.layers[0].weights != tabular_model().layers[0].weights).all()


def test_a_penalty_reaches_its_array() -> None:
    layer = LAYERS["periodic"]()
    layer.frequencies_regularizer_l2 = 0.5
    layer.forward(np.zeros((2, 5)))
    layer.backward(np.zeros_like(layer.output))
    np.testing.assert_array_equal(layer.dfrequencies, layer.frequencies)
    assert not layer.dphases.any()


def test_flat_parameters_and_gradients_hold_all_arrays() -> None:
    X, y = table()
    model, other = tabular_model(), tabular_model()
    layout = {place.name: place for place in model.parameter_layout()}
    names = ["1.frequencies", "1.phases", "1.weights", "1.biases", "2.weights", "3.weights"]
    assert list(layout)[:6] == names
    _, flat = model.gradients(X, y)
    model.apply_gradients(flat)
    other.train(X, y, epochs=1)
    assert arrays_of(model) == arrays_of(other)
    model.forward(X, training=True)
    flat = model.flatten_()
    place = layout["1.weights"]
    np.testing.assert_array_equal(flat[place.slice].reshape(place.shape), model.layers[0].weights)
    flat[place.slice] = 0
    assert not model.layers[0].weights.any()


# Predictions, pictures of a step


@pytest.mark.parametrize("rows", [0, 1, 5, 23, 24, 100, 1003])
def test_predictions_of_the_core_have_the_bits_of_the_classes(
    rows: int, dtype: Any, threads: int
) -> None:
    """Few rows with the arrays in place, many with copies of them in blocks."""
    X, _ = table(rows)
    for end in ("dense", "parametric"):
        model = tabular_model(dtype)
        for layer in model.layers[4::2]:
            layer.weights = np.linspace(-1, 2, layer.n_inputs)[None]
        if end == "parametric":
            model.layers[7] = Layer_ParametricActivation(4, "tanh", dtype=dtype)
            model.layers[7].weights *= 0.5
        assert packed_net(model) is not None
        expected = model.forward(X)
        for inputs in (X, X.astype(dtype), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
            assert model.predict(inputs).tobytes() == expected.tobytes()
        out = np.empty_like(expected)
        assert model.predict(X, out=out) is out
        assert out.tobytes() == expected.tobytes()


def test_a_net_of_the_cores_keeps_its_arrays_and_reads_new_ones() -> None:
    X, _ = table(50)
    model = tabular_model(np.float32)
    net, before = packed_net(model), model.predict(X)
    for layer in model.layers:
        for name in layer.parameter_names:
            getattr(layer, name)[...] *= 0.5
    np.testing.assert_array_equal(net.predict(X, None), before)
    assert model.predict(X).tobytes() == model.forward(X).tobytes() != before.tobytes()
    model.layers[4].activation = "relu"
    assert model.predict(X).tobytes() == model.forward(X).tobytes()


def test_predictions_leave_nothing_and_do_not_depend_on_the_batch() -> None:
    X, _ = table(50)
    model = tabular_model(np.float32)
    whole = model.predict(X)
    assert not any(hasattr(layer, "output") for layer in model.layers)
    np.testing.assert_array_equal(model.predict(X, batch_size=7), whole)
    np.testing.assert_array_equal([model.predict(row)[0] for row in X], whole)


def test_layers_in_another_order_go_through_the_classes() -> None:
    """Periodic features behind a scale, a setting that the core does not take as it is."""
    X, _ = table(30)
    model = tabular_model()
    model.layers.insert(0, Layer_Scale(5, dtype=np.float64))
    assert packed_net(model) is None
    assert model.predict(X).tobytes() == model.forward(X).tobytes()
    for change in (
        lambda layers: setattr(layers[1], "sizes", list(SIZES)),
        lambda layers: vars(layers[0]).update(phases=np.asfortranarray(layers[0].phases)),
    ):
        model = tabular_model()
        expected = model.predict(X)
        change(model.layers)
        assert packed_net(model) is None
        assert model.predict(X).tobytes() == expected.tobytes()


@pytest.mark.parametrize("rows", [5, 60])
def test_a_code_that_is_none_is_named_with_the_layer(rows: int) -> None:
    X, y = table(rows)
    model = tabular_model()
    out = np.full((rows, 1), 7.0)
    for value, shown in ((3.0, "3.0"), (np.nan, "nan")):
        X[3, 4] = value
        words = "^Layer_Embedding 2: inputs: expected a code from 0 to 2 in column 8"
        for call in (
            lambda: model.predict(X),
            lambda: model.predict(X, out=out),
            lambda: model.evaluate(X, y, quiet=True),
            lambda: model.train(X, y, check_finite=False),
            lambda: model.forward(X),
        ):
            with pytest.raises(ValueError, match=f"{words}, got {shown} in row 3"):
                call()


def test_a_validation_is_the_evaluation_of_the_classes(dtype: Any) -> None:
    X, y = table(60)
    model = tabular_model(dtype)
    history = model.train(X, y, epochs=2, batch_size=20, validation_data=(X, y))
    loss, _ = model.evaluate(X, y, quiet=True)
    assert np.dtype(dtype).type(history.validation_loss[-1]) == loss
    expected = model.loss.calculate(model.forward(X), y)
    assert abs(loss - expected) <= 64 * np.finfo(dtype).eps * expected


def test_explain_and_summary_name_them() -> None:
    X, y = table()
    model = tabular_model()
    text = str(model.explain(X, y))
    for name in ("Layer_PeriodicFeatures(2, 3)", "Layer_Embedding(7, 3)"):
        assert name in text and name in summary_text(model)
    assert "Layer_ParametricActivation(6)" in text


# Copies and files


@pytest.mark.parametrize("name", LAYERS)
def test_copies_and_pickles_go_on_alike(name: str) -> None:
    layer, X = LAYERS[name](), table(6)[0]
    optimizer = Optimizer_Adam(0.1)
    for _ in range(2):
        layer.forward(X)
        layer.backward(np.ones_like(layer.output))
        optimizer.update_params(layer)
        optimizer.post_update_params()
    twins = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    left = {"inputs", "output", "dinputs", "activated"}
    assert not any(left & vars(twin).keys() for twin in twins)
    for each in (layer, *twins):
        each.forward(X)
        each.backward(np.ones_like(each.output))
        copy.deepcopy(optimizer).update_params(each)
    for twin in twins:
        assert repr(twin) == repr(layer)
        for mine, other in zip(twin.get_parameters(), layer.get_parameters(), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_a_training_goes_on_from_a_file(tmp_path: Path, dtype: Any) -> None:
    X, y = table()
    model = tabular_model(dtype)
    model.train(X, y, epochs=2, batch_size=8)
    model.save(tmp_path / "model")
    twin = Model.load(tmp_path / "model")
    assert repr(twin.layers) == repr(model.layers)
    for each in (model, twin):
        each.train(X, y, epochs=2, batch_size=8)
    assert arrays_of(model) == arrays_of(twin)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))
    model.save_parameters(tmp_path / "parameters")
    fresh = tabular_model(dtype)
    fresh.load_parameters(tmp_path / "parameters")
    assert arrays_of(fresh) == arrays_of(model)
    assert model.fingerprint() == twin.fingerprint()


def test_a_file_with_sizes_that_do_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    tabular_model().save(path)
    header, document, body = split(path.read_bytes())
    document["layers"][1]["sizes"] = [4, 2]
    path.write_bytes(joined(header, document, body))
    with pytest.raises(cr.ModelFileError, match=r"layer 2.*weights.*expected \(6, width\)"):
        Model.load(path)


def test_a_file_with_an_activation_of_whole_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    tabular_model().save(path)
    header, document, body = split(path.read_bytes())
    for wrong, words in (
        ({"class": "Activation_Softmax"}, "element by element"),
        ({"class": "Activation_Linear"}, "element by element"),
        ({"class": "Layer_Dense"}, "expected an activation class of chainrule"),
        ({"class": "Activation_LeakyReLU", "negative_slope": -1.0}, "negative_slope"),
        ("mish", "activation"),
    ):
        document["layers"][4]["activation"] = wrong
        path.write_bytes(joined(header, document, body))
        with pytest.raises(cr.ModelFileError, match=words):
            Model.load(path)
