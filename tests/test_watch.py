"""Two things are said once: a loss that explodes, a layer of ReLUs that is dead. No bit changes."""

from __future__ import annotations

import copy
import re
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Loss_BinaryCrossentropy,
    Loss_MeanSquaredError,
    Model,
    Optimizer_SGD,
)
from plan_cases import WAYS, all_arrays, going
from test_model import data, net

X = np.random.default_rng(1).standard_normal((40, 4))
Y = X @ [1.0, -2.0, 0.5, 0.25]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


def linear_net(rate: float, *, scale: float = 1.0, dtype: Any = np.float64) -> Model:
    model = Model()
    model.add(Layer_Dense(4, 8, rng=1, weight_scale=scale, dtype=dtype))
    model.add(Activation_Tanh())
    model.add(Layer_Dense(8, 1, rng=2, weight_scale=scale, dtype=dtype))
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_SGD(rate))
    return model


def dead_net(position: int = 1, dtype: Any = np.float64) -> Model:
    """Two layers of ReLUs before a sigmoid; the biases below one of them hold it at 0."""
    model = Model()
    for sizes in ((4, 8), (8, 6)):
        model.add(Layer_Dense(*sizes, rng=1, weight_scale=0.5, dtype=dtype))
        model.add(Activation_ReLU())
        model.add(Layer_Dropout(0.1, rng=1))
    model.add(Layer_Dense(6, 1, rng=2, dtype=dtype))
    model.add(Activation_Sigmoid())
    model.layers[3 * (position - 1)].biases -= 100
    model.set(loss=Loss_BinaryCrossentropy(), optimizer=Optimizer_SGD(0.1))
    return model


def warned(model: Model, *arguments: Any, **settings: Any) -> list[str]:
    """The texts of the warnings of a training; each shows the caller's line."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.train(*arguments, **settings)
    assert all(each.filename == __file__ for each in found)
    assert all(each.category is RuntimeWarning for each in found)
    return [str(each.message) for each in found]


# A loss that explodes


def test_a_loss_that_explodes_is_told_with_number_and_layer(way: str, dtype: Any) -> None:
    model = linear_net(1.0, dtype=dtype)
    (text,) = warned(model, X, Y, epochs=12)
    found = re.match(
        r"train: the loss has grown from ([\d.e+]+) to ([\d.e+]+) in epoch (\d+); the largest "
        r"weights are those of Layer_Dense (\d), up to ([\d.e+]+); a lower learning rate",
        text,
    )
    assert found is not None, text
    first, grown, epoch, layer, size = (float(each) for each in found.groups())
    history = model.history
    assert history is not None
    assert first == pytest.approx(history.loss[0], rel=0.01)
    assert grown == pytest.approx(history.loss[int(epoch) - 1], rel=0.01) and grown > 1e6 * first
    # it is told when somebody looks, which is at the latest after the last epoch
    sizes = []
    for epochs in range(int(epoch), 13):
        model = linear_net(1.0, dtype=dtype)
        warned(model, X, Y, epochs=epochs)
        weights = [np.abs(each.weights).max() for each in model.trainable_layers]
        assert weights[1] == max(weights)
        sizes.append(weights[1])
    assert int(layer) == 3 and any(size == pytest.approx(each, rel=0.01) for each in sizes)


def test_a_training_that_stops_at_a_loss_that_is_not_finite_is_told_too(way: str) -> None:
    model = linear_net(1.0, dtype=np.float32)
    (text,) = warned(model, X, Y, epochs=100, on_nonfinite="stop")
    assert text.startswith("train: the loss has grown from 4.31 to ")


def test_it_is_told_once_however_often_it_is_trained(way: str) -> None:
    model = linear_net(1.0)
    texts: list[str] = []
    for _ in range(4):
        texts += warned(model, X, Y, epochs=8)
    assert len(texts) == 1


def test_a_loss_that_explodes_within_the_first_epoch_is_told(way: str) -> None:
    model = linear_net(1.0)
    rows = np.tile(np.arange(40), 9)
    (text,) = warned(model, X[rows], Y[rows], batch_size=30)
    assert "in epoch 1;" in text and model.history is not None and model.history.loss[0] > 1e7


CALM: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "targets of any size": (linear_net(0.05), 1e9 * Y, {"epochs": 5}),
    "a bad beginning": (linear_net(1e-9, scale=1e5), Y, {"epochs": 5}),
    "a rate that is large, not too large": (linear_net(0.3), Y, {"epochs": 50}),
    "a model that goes on": (linear_net(0.05), 0 * Y, {"epochs": 20}),
}


@pytest.mark.parametrize("name", CALM)
def test_what_does_not_explode_is_not_told(way: str, name: str) -> None:
    model, y, settings = CALM[name]
    assert warned(copy.deepcopy(model), X, y, on_nonfinite="stop", **settings) == []


# Dead layers


@pytest.mark.parametrize(("position", "layer", "units"), [(1, 2, 8), (2, 5, 6)])
def test_a_dead_layer_is_told(way: str, position: int, layer: int, units: int, dtype: Any) -> None:
    model = dead_net(position, dtype)
    (text,) = warned(model, X, (Y > 0) * 1, epochs=40)
    assert text.startswith(f"Activation_ReLU {layer}: all {units} units are 0 for all of 25 sampl")
    assert warned(model, X, (Y > 0) * 1, epochs=40) == []


def test_a_layer_with_one_unit_alive_is_not_told(way: str) -> None:
    model = dead_net()
    model.layers[0].biases[0, 3] = 0
    assert warned(model, X, (Y > 0) * 1, epochs=40) == []


def test_a_layer_that_dies_in_the_first_epoch_is_told(way: str) -> None:
    """Targets far below: each unit that helps a sample is pushed down by every one of them."""
    model = Model()
    for layer in (Layer_Dense(4, 8, rng=1, weight_scale=0.5), Activation_ReLU()):
        model.add(layer)
    model.add(Layer_Dense(8, 1, weights=np.full((8, 1), 0.5)))
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_SGD(0.1))
    (text,) = warned(model, np.abs(X), np.full(40, -1000.0), epochs=3)
    assert text.startswith("Activation_ReLU 2: all 8 units are 0 for all of 16 samples")


def test_a_changed_model_is_looked_at_anew() -> None:
    model = dead_net()
    assert len(warned(model, X, (Y > 0) * 1)) == 1
    model.layers[0] = Layer_Dense(4, 8, rng=5, weight_scale=0.5)
    assert warned(model, X, (Y > 0) * 1) == []
    model.layers[0].biases -= 100
    model.finalize()
    assert warned(model, X, (Y > 0) * 1) == []  # once is enough


def test_layers_of_the_user_s_own_are_not_run_for_it() -> None:
    """Their forward may do anything; what stands in front of them is looked at."""

    class Own:
        calls = 0

        def forward(self, inputs: Any, training: bool) -> Any:
            self.calls += 1
            return inputs

        def backward(self, dvalues: Any) -> Any:
            return dvalues

    model = dead_net(2)
    model.layers.insert(3, Own())
    assert warned(model, X, (Y > 0) * 1, epochs=2) == []
    assert model.layers[3].calls == 2
    model = dead_net(1)
    model.layers.insert(3, Own())
    assert len(warned(model, X, (Y > 0) * 1, epochs=2)) == 1
    assert model.layers[3].calls == 2


@pytest.mark.parametrize("settings", [{}, {"shuffle": True, "rng": 3}, {"batch_size": 7}])
def test_looking_changes_nothing(
    way: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same training with its watch asleep: losses, parameters, streams and arrays on layers."""
    from chainrule.training.watch import Watch

    inputs, labels = data()
    watched, alone = (net(dropout=True, dtype=np.float32) for _ in range(2))
    for model in (watched, alone):
        model.layers[1] = Activation_ReLU()
    np.random.seed(4)  # noqa: NPY002
    a = watched.train(inputs, labels, epochs=4, **settings)
    drawn = np.random.rand()  # noqa: NPY002
    monkeypatch.setattr(Watch, "look", lambda *_: None)
    np.random.seed(4)  # noqa: NPY002
    b = alone.train(inputs, labels, epochs=4, **settings)
    assert np.random.rand() == drawn  # noqa: NPY002
    for name in ("loss", "accuracy"):
        np.testing.assert_array_equal(a[name], b[name])
    for one, other in zip(all_arrays(watched), all_arrays(alone), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(watched.layers, alone.layers, strict=True):
        assert set(vars(one)) == set(vars(other))
        assert getattr(one, "step", None) == getattr(other, "step", None)


def test_a_warning_that_is_an_error_leaves_the_last_whole_step(way: str) -> None:
    model = dead_net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="Activation_ReLU 2"):
            model.train(X, (Y > 0) * 1, epochs=40)
    done = model.optimizer.iterations
    assert model.history is not None and len(model.history) == done > 0
    assert len(model.train(X, (Y > 0) * 1, epochs=2)) == 2
