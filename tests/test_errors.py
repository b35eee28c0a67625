"""What a model refuses: the text says where, what was expected and what came; nothing changes."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Accuracy_Categorical,
    Activation_Exponential,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanSquaredError,
    Loss_Poisson,
    Model,
    ModelFileError,
    Optimizer_Adam,
)
from chainrule.training.preflight import checked_request

X = np.random.default_rng(1).standard_normal((10, 4))
Y = np.arange(10) % 3
NAN, INF = X.copy(), X.copy()
NAN[3, 1], INF[0, 2] = np.nan, -np.inf
BIG = X.copy()
BIG[2, 0] = 1e300


def net(dtype: Any = np.float64) -> Model:
    model = Model()
    for layer in (
        Layer_Dense(4, 6, dtype=dtype),
        Layer_Dropout(0.1),
        Activation_ReLU(),
        Layer_Dense(6, 3, dtype=dtype),
        Activation_Softmax(),
    ):
        model.add(layer)
    model.set(
        loss=Loss_CategoricalCrossentropy(),
        optimizer=Optimizer_Adam(),
        accuracy=Accuracy_Categorical(),
    )
    model.finalize()
    return model


def state(thing: Any) -> Any:
    """Everything a refusal could have changed, by value."""
    if isinstance(thing, np.ndarray):
        return (thing.dtype, thing.tobytes())
    if isinstance(thing, list):
        return [state(each) for each in thing]
    if isinstance(thing, np.random.Generator):
        return repr(thing.bit_generator.state)
    if hasattr(thing, "__dict__"):
        return {name: state(value) for name, value in thing.__dict__.items()}
    return thing


class Sparse:
    def toarray(self) -> Any:
        return X


REFUSED: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    (X[:, :3], Y, {}, ValueError, "Layer_Dense 1: inputs: expected (n, 4), got (10, 3)"),
    (X[0], Y, {}, ValueError, "X: expected (n, d), got (4,)"),
    (X[None], Y, {}, ValueError, "X: expected (n, d), got (1, 10, 4)"),
    (X[:0], Y[:0], {}, ValueError, "X: expected at least one sample, got none"),
    (X.astype(complex), Y, {}, TypeError, "X: expected real numbers, got an array of dtype c"),
    (X.astype(object), Y, {}, TypeError, "X: expected real numbers, got an array of dtype object"),
    (X[:, 0], Y, {}, ValueError, "X: expected (n, d), got (10,)"),
    (np.ma.masked_array(X), Y, {}, TypeError, "X: expected a plain array, got a masked array"),
    (Sparse(), Y, {}, TypeError, "X: expected a dense array, got a sparse Sparse"),
    ([[1.0], [1.0, 2.0]], Y, {}, ValueError, "X: expected a rectangular array of numbers"),
    (None, Y, {}, TypeError, "X: expected real numbers, got NoneType"),
    (NAN, Y, {}, ValueError, "X: expected finite values, got nan at index (3, 1)"),
    (INF, Y, {}, ValueError, "X: expected finite values, got -inf at index (0, 2)"),
    (X, Y[:9], {}, ValueError, "y: expected 10 samples, as X has, got (9,)"),
    (X, 1, {}, ValueError, "y: expected 10 samples, as X has, got ()"),
    (X, Y + 1, {}, ValueError, "y: label 3 at index 2: expected 0 to 2"),
    (X, Y - 1, {}, ValueError, "y: label -1 at index 0: expected 0 to 2"),
    (X, Y * 1.0, {}, TypeError, "y: expected integer class labels, got float64"),
    (X, Y[:, None], {}, ValueError, "y.ravel()"),
    (X, np.eye(4)[Y], {}, ValueError, "y: expected (10, 3), got (10, 4)"),
    (X, np.eye(3)[Y] * np.nan, {}, ValueError, "y: expected finite values, got nan"),
    (X, np.array(list("abcdefghij")), {}, TypeError, "y: expected real numbers"),
    (X, Y, {"epochs": -1}, ValueError, "epochs: expected an int of at least 0, got -1"),
    (X, Y, {"epochs": 2.0}, TypeError, "epochs: expected an int of at least 0, got 2.0"),
    (X, Y, {"epochs": True}, TypeError, "epochs: expected an int of at least 0, got True"),
    (X, Y, {"batch_size": 0}, ValueError, "batch_size: expected an int of at least 1, got 0"),
    (X, Y, {"batch_size": "8"}, TypeError, "batch_size: expected an int of at least 1, got '8'"),
    (X, Y, {"print_every": 0}, ValueError, "print_every: expected an int of at least 1, got 0"),
    (X, Y, {"shuffle": "yes"}, TypeError, "shuffle: expected True or False, got 'yes'"),
    (X, Y, {"rng": "seed"}, TypeError, "rng: expected a numpy.random.Generator or a seed"),
    (X, Y, {"rng": -1}, ValueError, "rng: expected a seed of at least 0, got -1"),
    (X, Y, {"on_nonfinite": "warn"}, ValueError, "on_nonfinite: expected 'raise', 'stop' or"),
    (X, Y, {"drop_last": 1}, TypeError, "drop_last: expected True or False, got 1"),
    (X, Y, {"clip_norm": 0}, ValueError, "clip_norm: expected a number above 0, got 0"),
    (X, Y, {"clip_norm": -1}, ValueError, "clip_norm: expected a number of at least 0, got -1"),
    (X, Y, {"callbacks": 5}, TypeError, "callbacks: expected a sequence of callbacks, got 5"),
    (X, Y, {"callbacks": [5]}, TypeError, "callbacks: expected objects with on_train_begin"),
    (
        X,
        Y,
        {"validation_data": X},
        TypeError,
        "validation_data: expected (X, y) or (X, y, weights), got nda",
    ),
    (
        X,
        Y,
        {"validation_data": (X,)},
        TypeError,
        "validation_data: expected (X, y) or (X, y, weights), got 1 e",
    ),
    (X, Y, {"validation_data": (X[:, :2], Y)}, ValueError, "Layer_Dense 1: inputs: expected"),
    (X, Y, {"validation_data": (NAN, Y)}, ValueError, "validation X: expected finite values"),
    (X, Y, {"validation_data": (X, Y + 9)}, ValueError, "validation y: label 9 at index 0"),
    (X, Y, {"sample_weight": np.ones(9)}, ValueError, "sample_weight: expected (10,), got (9,)"),
    (X, Y, {"sample_weight": -np.ones(10)}, ValueError, "sample_weight: expected values of at l"),
    (X, Y, {"sample_weight": [NAN[3, 1]] * 10}, ValueError, "sample_weight: expected finite"),
    (X, Y, {"sample_weight": np.zeros(10)}, ValueError, "sample_weight: expected a sum above 0"),
]


@pytest.mark.parametrize(("inputs", "y", "settings", "error", "text"), REFUSED)
def test_a_refused_training_changes_nothing(
    inputs: Any, y: Any, settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    model = net()
    model.train(X, Y, epochs=1, rng=1)
    before = state(model)
    with pytest.raises(error, match=re.escape(text)):
        model.train(inputs, y, **settings)
    assert state(model) == before


def test_nonfinite_data_are_let_through_on_request() -> None:
    with pytest.raises(FloatingPointError, match="epoch 1, step 0"):
        net().train(NAN, Y, check_finite=False)


def test_values_that_overflow_the_models_dtype_are_refused() -> None:
    with pytest.raises(ValueError, match=r"X: expected values within float32, got 1e.300 at index"):
        net(np.float32).train(BIG, Y)


def test_a_wrong_layer_is_named_by_class_and_position() -> None:
    model = Model()
    model.add(Layer_Dense(4, 10))
    model.add(Layer_Dense(64, 3))
    model.set(loss=Loss_HalfSquaredError(), optimizer=Optimizer_Adam())
    model.finalize()
    text = "Layer_Dense 2: inputs: expected (n, 64), got (5, 10); layer 1 ends with 10 neurons"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model.forward(np.ones((5, 4)), training=True)
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model.predict(np.ones((5, 4)))
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model.train(np.ones((5, 4)), np.ones((5, 3)))
    text = "Layer_Dense 1: inputs: expected (n, 4), got (5, 3)"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        model.forward(np.ones((5, 3)))
    with pytest.raises(TypeError, match=r"^Layer_Dense 1: inputs: expected real numbers, got str"):
        model.forward("text")


def test_missing_parts_are_named() -> None:
    model = Model()
    with pytest.raises(ValueError, match="Model: expected at least one layer, got none"):
        model.finalize()
    model.add(Layer_Dense(4, 3))
    model.finalize()
    with pytest.raises(ValueError, match=r"Model: loss: expected one, got none; call set\(loss="):
        model.train(X, Y)
    model.set(loss=Loss_HalfSquaredError())
    with pytest.raises(ValueError, match="Model: optimizer: expected one, got none"):
        model.train(X, Y)
    with pytest.raises(ValueError, match="Model: loss: expected one, got none"):
        Model().evaluate(X, Y)


@pytest.mark.parametrize("kind", [np.array, list, lambda y: np.array(y, dtype=object)])
def test_classes_with_names_are_told_how_to_become_numbers(kind: Any) -> None:
    names = kind(["a", "b"] * len(X))[: len(X)]
    with pytest.raises(TypeError, match=r"y: expected real numbers.*np\.unique"):
        net().train(X, names)


def test_one_layer_twice_is_refused() -> None:
    model = Model()
    layer = Layer_Dense(4, 4)
    model.add(layer)
    model.add(layer)
    with pytest.raises(ValueError, match=r"Layer_Dense 2: expected a layer of its own.*layer 1"):
        model.finalize()
    with pytest.raises(ValueError, match="Layer_Dense 2: expected a layer of its own"):
        model.predict(X)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"loss": Loss_HalfSquaredError}, "loss: expected an instance, got the class Loss_Half"),
        ({"loss": "mse"}, r"with forward and backward, got 'mse'; write Loss_MeanSquaredError\(\)"),
        ({"loss": "categorical_crossentropy"}, r"write Loss_CategoricalCrossentropy\(\)"),
        ({"loss": "zzz"}, "got 'zzz'; there are Loss_"),
        ({"optimizer": "adam"}, r"got 'adam'; write Optimizer_Adam\(\)"),
        ({"optimizer": "SGD"}, r"got 'SGD'; write Optimizer_SGD\(\)"),
        ({"optimizer": 0.1}, "optimizer: expected an object with update_params, got 0.1"),
        ({"accuracy": 1}, "accuracy: expected an object with calculate, got 1"),
        ({"loss": Loss_HalfSquaredError(), "optimizer": 1}, "optimizer: expected an object"),
    ],
)
def test_what_cannot_serve_as_a_part_is_refused(part: dict[str, Any], text: str) -> None:
    model = net()
    loss = model.loss
    with pytest.raises(TypeError, match=text):
        model.set(**part)
    assert model.loss is loss
    with pytest.raises(TypeError, match="layer: expected an object with forward and backward"):
        model.add(5)
    with pytest.raises(TypeError, match="layer: expected an instance, got the class Layer_Dense"):
        model.add(Layer_Dense)


def test_batches_larger_than_the_data_mean_one_batch() -> None:
    model, twin = net(), None
    twin = copy.deepcopy(model)
    model.train(X, Y, epochs=2, batch_size=10**9)
    twin.train(X, Y, epochs=2)
    np.testing.assert_array_equal(model.layers[0].weights, twin.layers[0].weights)
    assert model.optimizer.iterations == 2
    with pytest.raises(ValueError, match="batch_size: expected an int of at least 1, got 0"):
        model.predict(X, batch_size=0)


@pytest.mark.parametrize(
    ("kind", "last"),
    [(Loss_HalfSquaredError, Activation_ReLU), (Loss_BinaryCrossentropy, Activation_Sigmoid)],
)
def test_flat_targets_serve_one_output_in_training(kind: Any, last: Any) -> None:
    y = (Y > 0) * 1
    models = []
    for targets in (y, y[:, None], y.astype(np.float32), y.tolist()):
        model = Model()
        model.add(Layer_Dense(4, 1, rng=1))
        model.add(last())
        model.set(loss=kind(), optimizer=Optimizer_Adam())
        model.train(X, targets, epochs=3, validation_data=(X, targets))
        models.append(model.layers[0].weights)
    for weights in models[1:]:
        np.testing.assert_array_equal(weights, models[0])


# One sample


@pytest.mark.parametrize("first", [None, Layer_Input, Layer_Dropout, Activation_Tanh])
def test_one_sample_is_a_row(first: Any) -> None:
    model = net()
    if first is not None:
        model.layers.insert(0, first(0.5) if first is Layer_Dropout else first())
    expected = model.predict(X[:1])
    for sample in (X[0], X[0].tolist(), tuple(X[0]), X[0].astype(np.float16).astype(float)):
        output = model.predict(sample)
        assert output.shape == (1, 3)
        np.testing.assert_allclose(output, expected, rtol=2e-3)
    np.testing.assert_array_equal(model.predict(X[0], batch_size=1), expected)
    np.testing.assert_array_equal(model.forward(X[0]), expected)
    with pytest.raises(ValueError, match=r"^X: expected \(n, 4\) or one sample \(4,\), got \(3,\)"):
        model.predict(X[0, :3])


def test_several_values_for_one_input_may_be_samples_or_one_too_long() -> None:
    pandas = pytest.importorskip("pandas")
    model = Model()
    model.add(Layer_Dense(1, 2))
    model.set(loss=Loss_HalfSquaredError(), optimizer=Optimizer_Adam())
    values = X[:, 0]
    hints = {
        "X[:, None]": values,
        "np.array(X)[:, None]": values.tolist(),
        "X.to_numpy()[:, None]": pandas.Series(values),
    }
    for hint, given in hints.items():
        for call in (model.predict, model.forward):
            with pytest.raises(ValueError, match=re.escape(f"got (10,); as a column: {hint}")):
                call(given)
        with pytest.raises(ValueError, match=r"X: expected \(n, d\), got \(10,\); as a column"):
            model.train(given, np.ones((10, 2)))
    assert model.predict(values[:, None]).shape == (10, 2)
    assert model.predict(values[:1]).shape == (1, 2)


# What stands at the end


ENDS: list[tuple[Any, Any, str]] = [
    (
        Loss_CategoricalCrossentropy,
        Activation_Linear,
        "probabilities, got Activation_Linear; add A",
    ),
    (Loss_CategoricalCrossentropy, Activation_ReLU, "yields probabilities, got Activation_ReLU"),
    (Loss_CategoricalCrossentropy, Activation_Tanh, "yields probabilities, got Activation_Tanh"),
    (Loss_CategoricalCrossentropy, None, "yields probabilities, got Layer_Dense; add Activation_S"),
    (Loss_BinaryCrossentropy, Activation_Tanh, "yields probabilities, got Activation_Tanh; add Ac"),
    (Loss_Poisson, Activation_Linear, "yields rates of at least 0, got Activation_Linear"),
]


@pytest.mark.parametrize(("loss", "last", "text"), ENDS)
@pytest.mark.parametrize("behind", [None, Layer_Dropout])
def test_a_last_layer_that_the_loss_cannot_use_is_refused(
    loss: Any, last: Any, text: str, behind: Any
) -> None:
    model = net()
    model.layers.pop()
    model.layers += [last()] if last is not None else []
    model.layers += [Layer_Dropout(0.1)] if behind is not None else []
    model.set(loss=loss(), accuracy=None)
    model.accuracy = None
    y = np.eye(3)[Y]
    before = state(model)
    for call in (
        lambda: model.train(X, y),
        lambda: model.evaluate(X, y),
        lambda: model.backward(model.predict(X), y),
    ):
        with pytest.raises(
            ValueError, match=f"{loss.__name__}: expected a last layer that .*{text}"
        ):
            call()
    assert state(model)["layers"][0]["weights"] == before["layers"][0]["weights"]
    assert model.history is None


def test_a_last_layer_that_hardly_fits_is_told_once() -> None:
    model = net()
    model.layers[-1] = Activation_Sigmoid()
    model.accuracy = None
    with pytest.warns(UserWarning, match="do not add up to 1") as found:
        model.train(X, Y)
        model.train(X, Y)
        model.evaluate(X, Y, quiet=True)
    assert len(found) == 1 and found[0].filename == __file__


@pytest.mark.parametrize("last", [Activation_Exponential, Activation_ReLU, Activation_Sigmoid])
def test_rates_may_come_from_any_layer_without_negative_values(last: Any) -> None:
    model = net()
    model.layers[-1] = last()
    model.set(loss=Loss_Poisson())
    model.accuracy = None
    assert np.isfinite(model.train(X, np.eye(3)[Y], epochs=2).loss).all()


@pytest.mark.parametrize("loss", [Loss_MeanSquaredError, "own"])
def test_labels_for_an_accuracy_need_a_layer_that_predicts_classes(loss: Any) -> None:
    class OwnCrossentropy:
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return np.zeros(len(y_true))

        def backward(self, dvalues: Any, y_true: Any) -> Any:
            return np.zeros_like(dvalues)

    model = net()
    model.layers[-1] = Activation_Linear()
    model.set(loss=OwnCrossentropy() if loss == "own" else loss())
    text = (
        r"y: expected \(10, 3\), got \(10,\); class labels need Activation_Softmax\(\) as the last"
    )
    if loss == "own":
        text = (
            "Accuracy_Categorical: expected a last layer that predicts classes, as y holds class "
            r"labels, got Activation_Linear 5; add Activation_Softmax\(\)"
        )
    for call in (model.train, model.evaluate):
        with pytest.raises(ValueError, match=text):
            call(X, Y)


@pytest.mark.parametrize(
    "dtype",
    [np.float16, np.float32, np.float64, np.longdouble, bool]
    + [np.dtype(code) for code in "bhilqBHILQ"],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_training_data_of_any_real_dtype_serve(dtype: Any, shuffle: bool) -> None:
    values = np.abs(np.round(3 * X)).astype(dtype)
    model, twin = net(np.float32), None
    twin = copy.deepcopy(model)
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 4, "shuffle": shuffle, "rng": 3}
    held = (values[::2], Y[::2])
    history = model.train(values, Y.astype(np.uint8), validation_data=held, **settings)
    floats = values.astype(np.float32)
    expected = twin.train(floats, Y, validation_data=(floats[::2], Y[::2]), **settings)
    np.testing.assert_array_equal(history.loss, expected.loss)
    np.testing.assert_array_equal(history.validation_loss, expected.validation_loss)
    np.testing.assert_array_equal(model.predict(values), twin.predict(floats))
    assert model.evaluate(values, Y, quiet=True) == twin.evaluate(floats, Y, quiet=True)


def test_whole_numbers_are_not_converted_as_a_whole() -> None:
    """A request holds the very bytes; each batch is converted when it is gathered."""
    values = np.abs(np.round(50 * X)).astype(np.uint8)
    model = net(np.float32)
    request = checked_request(
        model, values, Y, epochs=1, batch_size=4, validation_data=(values, Y),
        validation_split=None, shuffle=False, rng=None, sample_weight=None, class_weight=None,
        best_epoch=None, drop_last=False, accumulate=1, engine=None, check_finite_data=True,
        on_nonfinite="raise", clip_norm=None, record=None, callbacks=[],
    )  # fmt: skip
    assert request.X is values
    assert request.validation is not None and request.validation[0] is values
    batch, _, _ = request.batch(1, None)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, values[4:8])


def test_layouts_of_training_data_change_no_bit() -> None:
    plain = net()
    models = [copy.deepcopy(plain) for _ in range(4)]
    expected = plain.train(X, Y, epochs=2, batch_size=4).loss
    frozen = X.copy()
    frozen.flags.writeable = False
    for model, inputs in zip(
        models,
        (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.astype(">f8"), frozen),
        strict=True,
    ):
        np.testing.assert_array_equal(model.train(inputs, Y, epochs=2, batch_size=4).loss, expected)


def test_data_frames_serve() -> None:
    pandas = pytest.importorskip("pandas")
    plain, framed = net(), None
    framed = copy.deepcopy(plain)
    expected = plain.train(X, Y, epochs=2)
    history = framed.train(pandas.DataFrame(X), pandas.Series(Y), epochs=2)
    np.testing.assert_array_equal(history.loss, expected.loss)
    np.testing.assert_array_equal(framed.predict(pandas.DataFrame(X)), plain.predict(X))


def test_file_errors_are_value_errors() -> None:
    assert issubclass(ModelFileError, ValueError)
