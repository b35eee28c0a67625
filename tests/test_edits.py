"""What callbacks and users do to a model between steps: checked, and never met by a stale plan."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from teams import Each

ENGINES = [None, "classes"]


def samples() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((12, 4)), rng.integers(0, 3, 12)


def net(**settings: Any) -> cr.Model:
    model = cr.Model()
    model.add(cr.Layer_Dense(4, 8, rng=1, **settings))
    model.add(cr.Activation_ReLU())
    model.add(cr.Layer_Dense(8, 3, rng=2))
    model.add(cr.Activation_Softmax())
    model.set(
        loss=cr.Loss_CategoricalCrossentropy(),
        optimizer=cr.Optimizer_SGD(0.1),
        accuracy=cr.Accuracy_Categorical(),
    )
    return model


class AtBegin:
    model: Any

    def __init__(self, action: Callable[[Any, int], Any]) -> None:
        self.action = action

    def on_train_begin(self) -> None:
        self.action(self.model, 0)


# Layers, labels and weights that callbacks leave

LEFT: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "no layer": (lambda m: m.layers.clear(), ValueError, "at least one layer"),
    "no layer at all": (lambda m: m.layers.insert(0, 3), TypeError, "forward and backward"),
    "a number": (lambda m: setattr(m, "layers", 3), TypeError, "layers: expected a list, got int"),
    "wider": (
        lambda m: m.layers.__setitem__(0, cr.Layer_Dense(4, 9)),
        ValueError,
        r"Layer_Dense 3: inputs: expected \(n, 8\), got \(12, 9\); layer 1 ends with 9 neurons",
    ),
    "narrower": (lambda m: m.layers.__setitem__(0, cr.Layer_Dense(4, 7)), ValueError, "8.*7"),
    "other inputs": (lambda m: m.layers.__setitem__(0, cr.Layer_Dense(5, 8)), ValueError, "5.*4"),
    "fewer classes": (
        lambda m: m.layers.__setitem__(2, cr.Layer_Dense(8, 2)),
        ValueError,
        "label 2",
    ),
    "no optimizer": (
        lambda m: setattr(m, "optimizer", None),
        ValueError,
        "optimizer: expected one",
    ),
    "no loss": (lambda m: setattr(m, "loss", None), ValueError, "loss: expected one"),
    "no last layer": (lambda m: m.layers.pop(), ValueError, "probabilities"),
    "no weights": (
        lambda m: vars(m.layers[0]).pop("weights"),
        ValueError,
        "Layer_Dense 1: weights: expected an array, got none",
    ),
    "one layer twice": (lambda m: m.layers.append(m.layers[0]), ValueError, "of its own"),
    "no learners": (lambda m: setattr(m, "trainable_layers", None), TypeError, "trainable_layers"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("when", [AtBegin, Each])
@pytest.mark.parametrize("left", list(LEFT))
def test_what_a_callback_leaves_is_checked(left: str, when: Any, engine: str | None) -> None:
    edit, kind, text = LEFT[left]
    model, (X, y) = net(), samples()
    with pytest.raises(kind, match=text):
        model.train(X, y, epochs=3, engine=engine, callbacks=[when(lambda m, epoch: edit(m))])
    after = net()
    model.layers, model.loss, model.optimizer = after.layers, after.loss, after.optimizer
    model.trainable_layers = []
    model.finalize()
    model.train(X, y)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("label", [1000, -1, 3])
def test_labels_that_a_callback_edits_are_looked_at_again(engine: str | None, label: int) -> None:
    model, (X, y) = net(), samples()

    def edit(model: Any, epoch: int) -> None:
        y[3] = label

    with pytest.raises(ValueError, match=f"label {label} at index 3: expected 0 to 2"):
        model.train(X, y, epochs=3, engine=engine, callbacks=[Each(edit)])


@pytest.mark.parametrize("part", ["training", "validation"])
def test_labels_are_looked_at_whichever_way_the_plan_goes_on(part: str) -> None:
    model, (X, y) = net(), samples()
    other = y.copy()
    edited = y if part == "training" else other

    def edit(model: Any, epoch: int) -> None:
        if epoch == 3:  # the callbacks before it have left everything as it was
            edited[5] = 77

    with pytest.raises(ValueError, match="label 77 at index 5"):
        model.train(X, y, epochs=5, validation_data=(X, other), callbacks=[Each(edit)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_weights_that_a_callback_edits_are_looked_at_again(
    engine: str | None, value: float
) -> None:
    model, (X, y) = net(), samples()
    weight = np.ones(12)

    def edit(model: Any, epoch: int) -> None:
        weight[:] = value

    with pytest.raises(ValueError, match="sample_weight: expected"):
        model.train(X, y, epochs=3, engine=engine, sample_weight=weight, callbacks=[Each(edit)])
    assert all(np.isfinite(layer.weights).all() for layer in model.trainable_layers)


# Short ways and plans that are not those of the model any more


@pytest.mark.parametrize("fails", [False, True])
def test_settings_changed_after_the_last_step_are_not_taken_for_the_plans(fails: bool) -> None:
    def edit(model: Any, epoch: int) -> None:
        model.layers[0].weight_regularizer_l2 = 0.5
        if fails:
            raise LookupError

    (X, y), models = samples(), [net(), net()]
    for model in models:
        try:
            model.train(X, y, callbacks=[Each(edit)])
        except LookupError:
            assert fails
    models[1].release()
    losses = [model.train_on_batch(X, y) for model in models]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(models[0].layers[0].weights, models[1].layers[0].weights)


def test_an_optimizer_set_after_the_last_step_claims_the_layers() -> None:
    def edit(model: Any, epoch: int) -> None:
        model.optimizer = cr.Optimizer_SGD(0.1, momentum=0.9)

    (X, y), models = samples(), [net(), net()]
    for model in models:
        model.optimizer = cr.Optimizer_SGD(0.1, momentum=0.9)
        model.train(X, y, epochs=3, callbacks=[Each(lambda m, e: edit(m, e) if e == 3 else None)])
    models[1].release()
    for model in models:
        model.train_on_batch(X, y)
        assert model.layers[0].optimizer_steps == {"weights": 1, "biases": 1}
    np.testing.assert_array_equal(models[0].layers[0].weights, models[1].layers[0].weights)


def test_an_epoch_of_one_step_reports_the_penalty_of_its_end() -> None:
    (X, y), models = samples(), [net(weight_regularizer_l2=0.1), net(weight_regularizer_l2=0.1)]
    for _ in range(3):
        models[1].release()
        one, other = (model.train(X, y) for model in models)
        np.testing.assert_array_equal(one.loss, other.loss)
        np.testing.assert_array_equal(one.regularization_loss, other.regularization_loss)


def test_a_plan_that_cannot_be_made_leaves_the_one_before(monkeypatch: Any) -> None:
    model, (X, y) = net(), samples()
    make = _core.Plan

    def edit(model: Any, epoch: int) -> None:
        model.layers[0].weight_regularizer_l2 = 0.5

        def fail(network: Any) -> Any:
            raise MemoryError

        monkeypatch.setattr(_core, "Plan", fail)

    with pytest.raises(MemoryError):
        model.train(X, y, epochs=3, callbacks=[Each(edit)])
    monkeypatch.setattr(_core, "Plan", make)
    twin = copy.deepcopy(model)
    assert model.train_on_batch(X, y) == twin.train_on_batch(X, y)
    np.testing.assert_array_equal(model.layers[0].weights, twin.layers[0].weights)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_that_fails_leaves_dropout_where_it_stood(engine: str | None) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 2))
    model = cr.Model()
    model.add(cr.Layer_Dense(4, 6, rng=1))
    model.add(cr.Layer_Dropout(0.7, rng=2))
    model.add(cr.Layer_Dense(6, 2, rng=3))
    model.set(loss=cr.Loss_BinaryCrossentropy(), optimizer=cr.Optimizer_SGD(0.1))
    model.layers.append(cr.Activation_Sigmoid())
    y = (y > 0).astype(float)

    def edit(model: Any, epoch: int) -> None:
        y[0, 0] = 5.0

    with pytest.raises(ValueError, match=r"expected values in \[0, 1\]"):
        model.train(X, y, epochs=3, engine=engine, callbacks=[Each(edit)])
    assert model.layers[1].step == model.optimizer.iterations == 1


# Parameters that the last update has left infinite


def exploding() -> tuple[cr.Model, Any, Any]:
    """A net whose first update overflows, and whose ReLU then hides it: the loss stays finite."""
    model = cr.Model()
    model.add(cr.Layer_Dense(2, 3, rng=1, dtype=np.float32))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1e38))
    return model, np.full((4, 2), 1e3, np.float32), np.zeros((4, 3), np.float32)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_last_step_is_told_of_where_it_leaves_infinite_weights(engine: str | None) -> None:
    model, X, y = exploding()
    model.layers[0].weights[...] = 1.0
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            FloatingPointError,
            match=r"^epoch 1, step 0: expected finite .* in weights of Layer_Dense 1;",
        ),
    ):
        model.train(X, y, engine=engine)
    assert model.history is not None and len(model.history) == 1


@pytest.mark.parametrize("mode", ["stop", "ignore"])
def test_infinite_weights_end_or_do_not_end_a_training_as_wanted(mode: str) -> None:
    model, X, y = exploding()
    model.layers[0].weights[...] = 1.0
    with np.errstate(all="ignore"):
        model.train(X, y, on_nonfinite=mode)
    assert not np.isfinite(model.layers[0].weights).all()


def test_single_steps_are_told_of_too() -> None:
    for call in ("train_on_batch", "train", "apply_gradients"):
        model, X, y = exploding()
        model.optimizer.learning_rate = 0.0
        model.layers[0].weights[...] = 1.0
        model.train_on_batch(X, y)  # there is a short way now
        model.optimizer.learning_rate = 1e38
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="Layer_Dense 1"):
            if call == "apply_gradients":
                model.apply_gradients(model.gradients(X, y)[1])
            else:
                getattr(model, call)(X, y)


# Numbers without a float, counts without room, and other input that used to slip through

HUGE = 10**400


def test_numbers_beyond_float64_are_refused_in_words() -> None:
    X, y = samples()
    for call in (
        lambda: cr.Optimizer_SGD(HUGE),
        lambda: cr.Layer_Dropout(HUGE),
        lambda: cr.Layer_Dense(4, 3, weight_regularizer_l2=HUGE),
        lambda: net().train(X, y, clip_norm=HUGE),
        lambda: net().train(X, y, validation_split=HUGE),
        lambda: net().train(X, y, class_weight={0: HUGE}),
        lambda: cr.numerical_gradient(lambda a: float(a.sum()), np.ones(3), h=HUGE),
    ):
        with pytest.raises(ValueError, match="an int beyond float64"):
            call()
    net().train(X, y, batch_size=HUGE, accumulate=HUGE)
    for name in ("learning_rate", "decay", "momentum"):
        model = net()
        setattr(model.optimizer, name, HUGE)
        with pytest.raises(ValueError, match="Optimizer_SGD: expected settings within float64"):
            model.train(X, y)


@pytest.mark.parametrize("iterations", [2**63 - 1, HUGE, -1, float("nan"), "3"])
def test_counts_that_would_wrap_are_refused(iterations: Any) -> None:
    X, y = samples()
    for call in (
        lambda model: model.train(X, y),
        lambda model: model.train_on_batch(X, y),
        lambda model: model.apply_gradients(np.zeros(model.flat_parameters().size)),
    ):
        model = net()
        model.train_on_batch(X, y)
        before = model.layers[0].weights.copy()
        model.optimizer.iterations = iterations
        with pytest.raises(ValueError, match="iterations: expected a count from 0 to 2"):
            call(model)
        np.testing.assert_array_equal(model.layers[0].weights, before)


def test_rows_of_a_list_may_not_be_masked() -> None:
    row = np.ma.masked_array([1.0, 2, 3, 4], mask=[0, 1, 0, 0])
    for call in (net().predict, net().forward, lambda X: net().train(X, [0, 1, 2])):
        with pytest.raises(TypeError, match="masked array"):
            call([row] * 3)


def test_precision_of_broadcast_targets_is_that_of_what_is_there() -> None:
    one, many = cr.Accuracy_Regression(), cr.Accuracy_Regression()
    one.init(np.arange(5.0))
    many.init(np.broadcast_to(np.arange(5.0), (2**40, 5)))
    assert one.precision == many.precision


def test_outputs_can_be_resized() -> None:
    output = cr.Layer_Dense(64, 200, rng=1).forward(np.ones((100, 64)))
    before = output.copy()
    for shape in ((200, 200), (50, 200)):
        output.resize(shape, refcheck=False)
        rows = min(shape[0], 100)
        np.testing.assert_array_equal(output[:rows], before[:rows])
    assert (output[:50] == before[:50]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("part", ["X", "y", "validation X", "validation y"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_samples_that_a_callback_edits_are_looked_at_again(
    part: str, engine: str | None, value: float
) -> None:
    rng = np.random.default_rng(2)
    model = cr.Model()
    model.add(cr.Layer_Dense(4, 2, rng=1, dtype=np.float32))
    model.add(cr.Activation_Tanh())  # an infinity in X would not show in the loss
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.1))
    names = ("X", "y", "validation X", "validation y")
    samples = {name: rng.standard_normal((12, 2 if "y" in name else 4)) for name in names}

    def edit(model: Any, epoch: int) -> None:
        if epoch == 3:
            samples[part][5, 1] = value

    def train(**arguments: Any) -> Any:
        held = samples["validation X"], samples["validation y"]
        return model.train(
            samples["X"],
            samples["y"],
            epochs=5,
            validation_data=held,
            engine=engine,
            callbacks=[Each(edit)],
            **arguments,
        )

    with pytest.raises(ValueError, match=rf"^{part}: expected .* at index \(5, 1\)"):
        train()
    assert model.history is not None and len(model.history) == 3
    with np.errstate(all="ignore"):  # who does not want them checked is not asked again
        assert len(train(check_finite=False, on_nonfinite="ignore")) == 5


ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "strength": lambda m: setattr(m.layers[0], "weight_regularizer_l2", HUGE),
    "rate": lambda m: setattr(m.optimizer, "learning_rate", HUGE),
    "decay": lambda m: setattr(m.optimizer, "decay", HUGE),
    "factor": lambda m: setattr(m.layers[0], "learning_rate_factor", HUGE),
    "smoothing": lambda m: setattr(m.loss, "label_smoothing", HUGE),
}


@pytest.mark.parametrize(
    ("attribute", "call"),
    [
        *((name, call) for name in ATTRIBUTES for call in ("train", "classes", "train_on_batch")),
        *(("strength", "gradients"), ("smoothing", "gradients"), ("smoothing", "evaluate")),
    ],
)
def test_attributes_beyond_float64_are_refused_in_words(attribute: str, call: str) -> None:
    model, (X, y) = net(), samples()
    ATTRIBUTES[attribute](model)
    with pytest.raises(ValueError, match=r"beyond float64|within float64"):
        if call == "classes":
            model.train(X, y, epochs=2, engine="classes")
        else:
            getattr(model, call)(X, y)


@pytest.mark.parametrize("name", ["weights", "biases"])
def test_a_summary_of_a_layer_without_its_parameters_says_so(name: str) -> None:
    model = net()
    model.finalize()
    del model.layers[0].__dict__[name]
    for call in (model.summary, lambda: model.plan):
        with pytest.raises(ValueError, match=f"Layer_Dense 1: {name}: expected an array, got none"):
            call()


# Penalties that overflow


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("epochs", [1, 3])
def test_penalties_that_overflow_are_told_of(engine: str | None, epochs: int) -> None:
    model, (X, y) = net(weight_regularizer_l2=1.0), samples()
    model.layers[0].weights *= 1e200
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"^epoch 1, step 0: expected"),
    ):
        model.train(X, y, epochs=epochs, engine=engine)


@pytest.mark.filterwarnings("ignore:.*units are 0:RuntimeWarning")  # which stretch tells it
@pytest.mark.parametrize("stretch", [0.0, 1e-5, 100.0])
def test_where_penalties_overflow_does_not_depend_on_the_clock(
    stretch: float, monkeypatch: Any
) -> None:
    """Weights grow by a factor of 10 each step: from 1e149 on their squares overflow at the sixth.

    The samples are 0, so that nothing but the penalty moves them.
    """
    from chainrule.training import loop

    monkeypatch.setattr(loop, "STRETCH", stretch)
    model, (X, y) = net(), samples()
    X *= 0.0
    model.optimizer = cr.Optimizer_SGD(9.0)
    model.layers[0].weight_regularizer_l2 = -0.5
    model.layers[0].weights[...] = 1e149
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught:
        model.train(X, y, epochs=9, batch_size=4)
    assert str(caught.value).startswith("epoch 2, step 2: expected")
