"""The presets of the tabular estimators: codes for tables, first parameters, members that share."""

from __future__ import annotations

import _thread
import pickle
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from chainrule import (
    Activation_Softmax,
    Callback,
    Layer_Dense,
    Layer_Dropout,
    Layer_Embedding,
    Layer_ParametricActivation,
    Layer_PeriodicFeatures,
    Layer_Scale,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    gradcheck,
)
from chainrule.layers.parameters import slots_of
from chainrule.schedules import CosineLog
from chainrule.sklearn import TabularClassifier, TabularRegressor
from chainrule.sklearn.tabular.encoding import Encoding
from chainrule.sklearn.tabular.ensemble import jobs_here, on_ranks
from chainrule.sklearn.tabular.first_parameters import Rows
from chainrule.sklearn.tabular.net import SCALE_RATE, Columns, Recipe, folded, new_net
from chainrule.sklearn.tabular.presets import PRESETS
from chainrule.sklearn.tabular.shared import MeanLoss, SharedInputs, SharedLoss, mean_outputs
from chainrule.sklearn.tabular.table import Table
from tabular_cases import Array, classifier, frame, labels, regressor, values

KINDS = {"classifier": (classifier, labels), "regressor": (regressor, values)}
NEW = [name for name in PRESETS if name != "small"]  # test_tabular.py has that one


def outputs(estimator: Any, X: Any) -> Array:
    """Return probabilities, or values."""
    found: Array = getattr(estimator, "predict_proba", estimator.predict)(X)
    return found


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "sizes": [6, 5],
        "activation": "tanh",
        "n_outputs": 3,
        "loss": Loss_CategoricalCrossentropy(),
        "learning_rate": 0.05,
        "dropout": 0.0,
        "weight_decay": 0.0,
        "batch_size": None,
        "epochs": 6,
        "metric": "validation_loss",
        "class_weight": None,
    }
    return Recipe(**{**settings, **changes})


FULL: dict[str, Any] = {
    "periodic": True,
    "max_onehot": 2,
    "embedding_size": 4,
    "parametric": True,
    "from_data": True,
    "dropout": 0.2,
}
COLUMNS = Columns(7, 3, (5, 9))  # three numbers, two of 0 or 1, two codes


def rows(n: int = 60, seed: int = 0) -> Array:
    """Return samples of COLUMNS."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(n, 3)), rng.integers(0, 2, (n, 2)), rng.integers(1, [5, 9], (n, 2))]
    return np.concatenate(parts, axis=1).astype(np.float32)


# --- codes ----------------------------------------------------------------------------------------


def test_columns_of_many_levels_become_codes_behind_all_others() -> None:
    codes = np.array([[0, 3, 1], [1, 0, 0], [2, 2, 1], [0, 1, -1], [-1, 3, 0]], dtype=np.int32)
    table = Table(np.arange(5.0)[:, None], codes)
    encoding = Encoding(table, [3, 5, 2], max_onehot=2)
    assert encoding.columns == Columns(4, 1, (4, 5))
    inputs = encoding(table)
    assert inputs[:, 2].tolist() == [1, 2, 3, 1, 0]  # missing: 0
    assert inputs[:, 3].tolist() == [4, 1, 3, 2, 4]
    assert inputs[0, 1] > 0 > inputs[1, 1]  # two levels are one column still
    # the level that no row had, 4, counts as missing; so does one of no column
    new = Table(np.zeros((1, 1)), np.array([[-1, 4, -1]], dtype=np.int32))
    assert encoding(new)[0, 2:].tolist() == [0, 0]
    onehot = Encoding(table, [3, 5, 2])
    assert onehot.columns == Columns(1 + 3 + 4 + 1, 1, ())
    assert Encoding(table, [3, 5, 2], max_onehot=3).columns == Columns(1 + 3 + 1 + 1, 1, (5,))


def test_new_and_missing_categories_are_the_same_in_tables() -> None:
    net = classifier(preset="default", max_onehot=2).fit(frame(), labels())
    (tables,) = (x for x in net.members_[0].models[0].layers if isinstance(x, Layer_Embedding))
    assert tables.sizes == (4,)
    new, missing = frame(20, seed=5), frame(20, seed=5)
    new["colour"], missing["colour"] = "violet", None
    assert np.array_equal(net.predict_proba(new), net.predict_proba(missing))
    assert not np.array_equal(net.predict_proba(new), net.predict_proba(frame(20, seed=5)))


def test_a_table_has_a_row_of_0_for_what_no_training_row_had() -> None:
    net = new_net(recipe(**FULL), COLUMNS, np.random.default_rng(0), rows())
    X = rows()
    net.train(X, np.arange(60) % 3, epochs=6, progress=False)
    (tables,) = (layer for layer in net.layers if isinstance(layer, Layer_Embedding))
    for table in tables.tables:
        assert not table[0].any() and table[1:].all()


# --- steps ----------------------------------------------------------------------------------------


def test_what_learns_slowly_decays_slowly() -> None:
    X, y = rows(), np.arange(60) % 3
    nets = []
    for decay in (0.5, 0.0):
        net = new_net(recipe(**FULL, weight_decay=decay), COLUMNS, np.random.default_rng(0), X)
        before = {name: value.copy() for name, value in arrays(net).items()}
        net.train(X, y, epochs=2, progress=False)  # the first step's rate is 0
        nets.append(arrays(net))
    decayed, plain = nets
    rate = 0.05 * float(CosineLog(4)(0.5))
    shares = {"Dense": 1.0, "Scale": 1.0, "Embedding": 1.0, "Periodic": 0.01, "Parametric": 0.01}
    for name, value in before.items():
        kind = next(kind for kind in shares if kind in name)
        share = 0.0 if kind == "Dense" and "biases" in name else shares[kind]
        # Adam's step is the same; two sums are rounded, and the two steps to 2 units in the last
        size = np.abs(value) + np.abs(plain[name]) + rate * SCALE_RATE
        tolerance = 4 * np.finfo(np.float32).eps * size
        assert (np.abs(decayed[name] - plain[name] + rate * 0.5 * share * value) <= tolerance).all()
        assert share == 0 or (decayed[name] != plain[name]).any()


@pytest.mark.parametrize(("count", "here"), [(1, [1, 1, 1]), (2, [1, 1, 0]), (8, [3, 3, 2])])
def test_a_bar_counts_what_this_rank_trains(count: int, here: list[int]) -> None:
    assert jobs_here(count) == count
    for rank, expected in enumerate(here):
        with on_ranks(SimpleNamespace(rank=rank, size=3, sharing_cores=nullcontext)):
            assert jobs_here(count) == expected


def arrays(net: Any) -> dict[str, Array]:
    """Return all parameters of a net by the places and kinds of their layers."""
    return {
        f"{place} {type(layer).__name__} {slot.name} {k}": values
        for place, layer in enumerate(net.layers)
        for slot in slots_of(layer)
        for k, values in enumerate(as_list(getattr(layer, slot.name)))
    }


def as_list(values: Any) -> list[Array]:
    return list(values) if isinstance(values, list | tuple) else [values]


# --- first parameters -----------------------------------------------------------------------------


def test_the_full_net_has_its_layers_in_order() -> None:
    net = new_net(recipe(**FULL), COLUMNS, np.random.default_rng(0), rows())
    block = [Layer_Dense, Layer_ParametricActivation, Layer_Dropout]
    kinds = [Layer_PeriodicFeatures, Layer_Embedding, Layer_Scale, *block, *block, Layer_Dense]
    assert [type(layer) for layer in net.layers] == [*kinds, Activation_Softmax]
    assert net.layers[2].n_inputs == 3 * 4 + 2 + 2 * 4
    assert not any("output" in vars(layer) for layer in net.layers)  # no rows are kept


def test_products_over_the_training_rows_have_variance_1_and_biases_lie_within_them() -> None:
    X = rows(400)
    X[:, :5] *= 50
    net = new_net(recipe(**FULL), COLUMNS, np.random.default_rng(0), X)
    values = X
    for layer in net.layers[:-1]:
        if isinstance(layer, Layer_Dense):
            products = values.astype(float) @ layer.weights.astype(float)
            # each product is known to d roundings of its terms
            size = np.abs(values).max(axis=0) @ np.abs(layer.weights)
            error = layer.n_inputs * np.finfo(np.float32).eps * size
            assert (np.abs(products.std(axis=0) - 1) <= 2 * error).all()
            assert (-layer.biases[0] <= products.max(axis=0) + error).all()
            assert (-layer.biases[0] >= products.min(axis=0) - error).all()
            assert np.unique(layer.biases).size == layer.biases.size
        values = layer.forward(values, training=False)


def test_equal_rows_leave_the_first_weights_as_drawn() -> None:
    X = np.full((20, 3), 0.1, dtype=np.float32)
    layer = Rows(X, np.random.default_rng(3)).dense(3, 40)
    drawn = np.random.default_rng(3).standard_normal((3, 40)) / np.sqrt(3)
    np.testing.assert_allclose(layer.weights, drawn, rtol=1e-6)
    assert np.isfinite(layer.biases).all()


# --- folding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [FULL, {"shared": 3}], ids=["full", "shared"])
def test_folded_nets_give_the_trained_nets_outputs(changes: dict[str, Any]) -> None:
    X, y = rows(), np.arange(60) % 3
    columns = COLUMNS if "periodic" in changes else Columns(7, 7, ())
    net = new_net(recipe(**changes), columns, np.random.default_rng(0), X)
    net.train(X, y, epochs=6, progress=False)
    values = X
    for layer in net.layers:
        if not isinstance(layer, Activation_Softmax):
            values = layer.forward(values) if "shared" in changes else layer.forward(values, False)
    plain = folded(net)
    assert len(plain) == changes.get("shared", 1)
    for each in plain:
        kinds = {type(layer) for layer in each.layers}
        assert not kinds & {Layer_Scale, Layer_Dropout, Activation_Softmax, SharedInputs}
        for layer in each.layers:  # nothing of the training is left
            left = ("dweights", "momentums", "cache", "optimizer", "learning", "epsilon")
            assert not any(text in name for name in vars(layer) for text in left)
    found = np.concatenate([each.predict(X) for each in plain], axis=1)
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-5)


def test_nets_that_share_their_weights_hold_them_once() -> None:
    net = classifier(preset="tabm-mini", epochs=2).fit(frame(), labels())
    again = pickle.loads(pickle.dumps(net))
    for each in (net, again):
        second = [model.layers[2].weights for model in each.members_[0].models]
        assert len(second) == 8 and all(weights is second[0] for weights in second)


# --- members that share ---------------------------------------------------------------------------


def shared_net(loss: Any, n_outputs: int) -> Any:
    """Return a net of three members with a trained look: nothing in it is 0 or 1."""
    settings = recipe(shared=3, loss=loss, n_outputs=n_outputs, sizes=[5, 4])
    net = new_net(settings, Columns(4, 4, ()), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for layer in net.trainable_layers:
        for name in layer.parameter_names:
            array = getattr(layer, name)
            array += rng.normal(scale=0.5, size=array.shape).astype(np.float32)
    return net


LOSSES = {
    "classes": (Loss_CategoricalCrossentropy(label_smoothing=0.1), 3),
    "values": (Loss_MeanSquaredError(), 2),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_shared_nets_loss_is_the_members_mean_and_its_gradient_is_that_ones(kind: str) -> None:
    net = shared_net(*LOSSES[kind])
    rng = np.random.default_rng(2)
    X = rng.normal(size=(9, 4)).astype(np.float32)
    y = rng.integers(0, 3, 9) if kind == "classes" else rng.normal(size=(9, 2)).astype(np.float32)
    total = 0.0
    first, last = net.layers[0], net.layers[-1]
    for i in range(3):  # the members one by one, in float64
        values = X.astype(float) * first.weights[i]
        for layer in net.layers[1:-1]:
            if isinstance(layer, Layer_Dense):
                values = values @ layer.weights.astype(float) + layer.biases
            else:
                values = np.tanh(values)
        values = values @ last.weights[i].astype(float) + last.biases[i]
        if kind == "values":
            total += np.mean((values - y) ** 2)
            continue
        logs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
        total -= np.mean(((0.9 * np.eye(3)[y] + 0.1 / 3) * logs).sum(axis=1))
    assert net.loss.calculate(net.forward(X), y) == pytest.approx(total / 3, rel=1e-5)
    report = gradcheck(net, X, y, full=True)
    assert report, report


def test_the_full_nets_gradient_is_right() -> None:
    net = new_net(recipe(**FULL), COLUMNS, np.random.default_rng(0), rows())
    report = gradcheck(net, rows(12), np.arange(12) % 3)
    assert report, report


def test_the_loss_of_a_validation_is_that_of_the_mean_prediction() -> None:
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(20, 6)).astype(np.float32), rng.integers(0, 3, 20)
    powers = np.exp(logits.reshape(20, 2, 3).astype(float))
    each = powers / powers.sum(axis=2, keepdims=True)
    loss = SharedLoss(Loss_CategoricalCrossentropy(0.2), 2).without_smoothing()
    assert type(loss) is MeanLoss
    expected = -np.log(each.mean(axis=1)[np.arange(20), y])
    np.testing.assert_allclose(loss.forward(logits, y), expected, rtol=1e-5)
    assert np.array_equal(loss.predictions(logits, y), each.mean(axis=1).argmax(axis=1))
    values, y = rng.normal(size=(20, 2)).astype(np.float32), rng.normal(size=(20, 1))
    loss = SharedLoss(Loss_MeanSquaredError(), 2).without_smoothing()
    expected = (values.mean(axis=1) - y[:, 0]) ** 2
    np.testing.assert_allclose(loss.forward(values, y.astype(np.float32)), expected, atol=1e-6)


def test_the_mean_of_members_is_one_of_probabilities_or_of_values() -> None:
    rng = np.random.default_rng(0)
    logits = [800 * rng.normal(size=(30, 4)) for _ in range(3)]

    def softmax(z: Array) -> Array:
        powers = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    found = mean_outputs(logits, True)
    assert np.isfinite(found).all()
    expected = np.mean([softmax(each) for each in logits], axis=0)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(mean_outputs(logits, False), np.mean(logits, axis=0))
    assert mean_outputs(logits[:1], True) is logits[0]


# --- estimators -----------------------------------------------------------------------------------


def test_estimators_differ_in_what_only_one_of_them_can_have() -> None:
    classes, values = TabularClassifier().get_params(), TabularRegressor().get_params()
    own = {"metric", "label_smoothing", "class_weight", "calibration"}
    assert classes.keys() - values.keys() == own
    assert values.keys() - classes.keys() == {"quantiles"}
    assert all(values[name] == classes[name] for name in values.keys() & classes.keys())
    with pytest.raises(TypeError):
        TabularClassifier("small")  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", NEW)
def test_presets_learn_and_repeat_for_any_number_of_threads(preset: str, kind: str) -> None:
    make, targets = KINDS[kind]
    X, new = frame(), frame(300, seed=1)
    net = make(preset=preset, epochs=80, n_threads=1).fit(X, targets())
    assert net.score(new, targets(300, seed=1)) > 0.8
    again = make(preset=preset, epochs=80, n_threads=2).fit(X, targets())
    assert np.array_equal(outputs(net, new), outputs(again, new))
    assert np.array_equal(outputs(pickle.loads(pickle.dumps(net)), new), outputs(net, new))
    assert np.array_equal(outputs(clone(net).fit(X, targets()), new), outputs(net, new))
    one = np.concatenate([outputs(net, new[k : k + 1]) for k in range(5)])
    assert np.array_equal(one, outputs(net, new)[:5])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", NEW)
def test_members_have_the_bits_of_fits_of_their_own(preset: str, kind: str) -> None:
    make, targets = KINDS[kind]
    X, y = frame(), targets()
    held = {"X_val": X[160:], "y_val": y[160:]}
    many = make(preset=preset, ensemble=2, epochs=6, n_threads=2).fit(X[:160], y[:160], **held)
    each = []
    for seed in many.seeds_:
        one = make(preset=preset, epochs=6, random_state=seed).fit(X[:160], y[:160], **held)
        each.append(outputs(one, X))
    np.testing.assert_allclose(outputs(many, X), np.mean(each, axis=0), rtol=1e-14)
    assert not np.array_equal(each[0], each[1])


@pytest.mark.parametrize("preset", NEW)
@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
def test_the_kept_epochs_parameters_are_in_use(preset: str, metric: str) -> None:
    from sklearn.metrics import log_loss

    X, y = frame(), labels()
    net = classifier(preset=preset, metric=metric)
    net.fit(X[:160], y[:160], X_val=X[160:], y_val=y[160:])
    curve, best = net.validation_curve_[0], net.best_epoch_[0]
    wanted = curve.min() if metric == "log_loss" else curve.max()
    assert best == np.flatnonzero(curve == wanted)[-1] + 1
    probabilities = net.predict_proba(X[160:])
    right = net.score(X[160:], y[160:])
    value = log_loss(y[160:], probabilities) if metric == "log_loss" else right
    assert value == pytest.approx(wanted, rel=1e-5)


class Breaks(Callback):
    """Interrupts the main thread after the third epoch, as Ctrl-C does."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 3:
            _thread.interrupt_main()


@pytest.mark.parametrize("preset", NEW)
def test_an_interrupted_fit_leaves_what_is_there(preset: str) -> None:
    net = classifier(preset=preset, epochs=100_000, callbacks=[Breaks()], n_threads=1)
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(frame(), labels())
    assert net.best_epoch_[0] >= 1
    assert np.isfinite(net.predict_proba(frame())).all()


def test_numeric_embeddings_may_be_chosen_for_any_preset() -> None:
    def has_waves(**settings: Any) -> bool:
        net = classifier(epochs=1, **settings).fit(frame(), labels())
        layers = net.members_[0].models[0].layers
        return any(isinstance(layer, Layer_PeriodicFeatures) for layer in layers)

    assert has_waves(preset="default")
    assert not has_waves(preset="default", numeric_embedding=None)
    assert not has_waves(preset="small")
    assert has_waves(preset="small", numeric_embedding="periodic")
    assert has_waves(preset="tabm-mini", numeric_embedding="periodic")


@pytest.mark.parametrize("preset", NEW)
def test_tables_of_words_alone_are_learned_from(preset: str) -> None:
    X = frame()[["colour", "side", "flag"]]
    net = classifier(preset=preset, epochs=60, max_onehot=2).fit(X, labels())
    assert net.score(frame(300, seed=1)[X.columns], labels(300, seed=1)) > 0.8
