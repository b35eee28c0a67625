"""Random edits of a model between and within its calls, against a twin that keeps nothing.

The model keeps plans and short ways from call to call. The twin lets them go before each call, so
that everything is made anew, and where the model trains with a callback it trains one epoch at a
time, the edits made by hand between. After each call both must have the same bits, or have raised
the same error. How far a training came whose loss is not finite is left out: a plan looks at an
overflowing penalty where a step reports it.
"""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr

QUICK, LONG = 300, 20_000

N, D, SIZE = 12, 4, 3
NAMES = ("weights", "biases", "frequencies", "phases")
Edit = Callable[[Any, "Data", random.Random], Any]


class Data:
    """Samples that edits may change in place; the last column has codes of `SIZE` categories."""

    def __init__(self, random: random.Random, width: int) -> None:
        rng = np.random.default_rng(random.getrandbits(32))
        self.X = rng.standard_normal((N, D))
        self.X[:, -1] = rng.integers(0, SIZE, N)
        self.y = rng.standard_normal((N, width))
        self.weight = rng.random(N) + 0.1


def new_model(random: random.Random) -> Any:
    rng = np.random.default_rng(random.getrandbits(32))
    model = cr.Model()
    width = D
    if random.random() < 0.3:
        model.add(cr.Layer_PeriodicFeatures(D, 2, n_frequencies=3, rng=rng))
        model.add(cr.Layer_Embedding(10, (SIZE,), 2, rng=rng))
        width = 11
    if random.random() < 0.3:
        model.add(cr.Layer_Scale(width))
    model.add(cr.Layer_Dense(width, 6, rng=rng))
    model.add(random.choice([cr.Activation_ReLU(), cr.Activation_Tanh(),
                             cr.Layer_ParametricActivation(6, "mish")]))  # fmt: skip
    if random.random() < 0.5:
        model.add(cr.Layer_Dropout(0.7, rng=rng))
    model.add(cr.Layer_Dense(6, 2, rng=rng))
    model.set(
        loss=cr.Loss_MeanSquaredError(),
        optimizer=random.choice([cr.Optimizer_SGD, cr.Optimizer_Adam])(0.01),
        accuracy=random.choice([None, cr.Accuracy_Regression()]),
    )
    return model


# --- edits ----------------------------------------------------------------------------------------


def learner(model: Any, random: random.Random) -> Any:
    found = [layer for layer in model.layers if hasattr(layer, "weights")]
    return random.choice(found) if found else cr.Layer_Dense(1, 1)


def dropout(model: Any) -> Any:
    found = [layer for layer in model.layers if isinstance(layer, cr.Layer_Dropout)]
    return found[0] if found else cr.Layer_Dropout(0.5)


def scale_weights(model: Any, data: Data, random: random.Random) -> None:
    learner(model, random).weights *= random.choice([0.5, 0.9, 1.1, -1.0])


def rebind_weights(model: Any, data: Data, random: random.Random) -> None:
    layer = learner(model, random)
    form = random.choice([np.copy, np.asfortranarray, np.ndarray.tolist, lambda a: a.astype("f4")])
    layer.weights = form(layer.weights)


def spoil_weights(model: Any, data: Data, random: random.Random) -> None:
    learner(model, random).weights.flat[0] = random.choice([np.nan, np.inf, -np.inf, 1e100, 0.0])


def read_only(model: Any, data: Data, random: random.Random) -> None:
    weights = learner(model, random).weights
    weights.flags.writeable = not weights.flags.writeable


def set_optimizer(model: Any, data: Data, random: random.Random) -> None:
    name = random.choice(["learning_rate", "decay", "weight_decay", "momentum", "iterations"])
    value = random.choice([0, 1, 7]) if name == "iterations" else random.choice([0.0, 0.01, 0.1])
    setattr(model.optimizer, name, value)


def new_optimizer(model: Any, data: Data, random: random.Random) -> None:
    kinds = [cr.Optimizer_SGD, cr.Optimizer_Adam, cr.Optimizer_RMSprop, cr.Optimizer_Adagrad]
    model.optimizer = random.choice(kinds)(0.01)


def drop_states(model: Any, data: Data, random: random.Random) -> None:
    layer = learner(model, random)
    names = [name for name in vars(layer) if "momentums" in name or "cache" in name]
    for name in random.sample(names, min(len(names), 2)):
        value = random.choice(["delete", "zeros", "shape", "none"])
        held = vars(layer)[name]
        if value == "delete":
            delattr(layer, name)
        else:
            new = {"zeros": np.zeros_like(held), "shape": np.zeros((3, 3)), "none": None}[value]
            setattr(layer, name, new)


def set_penalty(model: Any, data: Data, random: random.Random) -> None:
    name = random.choice(["weight_regularizer_l1", "weight_regularizer_l2", "bias_regularizer_l2"])
    setattr(learner(model, random), name, random.choice([0, 0.01, 0.1]))


def set_factor(model: Any, data: Data, random: random.Random) -> None:
    name = random.choice(["learning_rate_factor", "weight_decay_factor"])
    setattr(learner(model, random), name, random.choice([1.0, 0.5, (1.0, 0.1), -1.0]))


def set_dropout(model: Any, data: Data, random: random.Random) -> None:
    layer = dropout(model)
    name = random.choice(["rate", "step", "key"])
    setattr(layer, name, random.choice([0.5, 0.9, 1.0]) if name == "rate" else random.randrange(9))


def freeze(model: Any, data: Data, random: random.Random) -> None:
    layer = learner(model, random)
    layer.trainable = not layer.trainable


def shorten(model: Any, data: Data, random: random.Random) -> None:
    if random.random() < 0.5:
        model.finalize_later = True
        model.trainable_layers = model.trainable_layers[:1]
    else:
        model.trainable_layers = [x for x in model.layers if isinstance(x, cr.Layer_Dense)]


def new_loss(model: Any, data: Data, random: random.Random) -> None:
    kinds = [cr.Loss_MeanSquaredError, cr.Loss_MeanAbsoluteError, cr.Loss_Huber]
    model.loss = random.choice(kinds)()


def new_accuracy(model: Any, data: Data, random: random.Random) -> None:
    model.accuracy = random.choice([None, cr.Accuracy_Regression()])
    if model.accuracy is not None:
        model.accuracy.init(data.y)


def new_activation(model: Any, data: Data, random: random.Random) -> None:
    kinds = [cr.Activation_ReLU, cr.Activation_Tanh, cr.Activation_Sigmoid]
    if len(model.layers) > 1:
        model.layers[1] = random.choice(kinds)()


def wider(model: Any, data: Data, random: random.Random) -> None:
    """Both layers, or one: then the widths do not chain."""
    width = random.choice([3, 6, 11])
    rng = np.random.default_rng(random.getrandbits(32))
    model.layers[0] = cr.Layer_Dense(D, width, rng=rng)
    if random.random() < 0.7:
        model.layers[-1] = cr.Layer_Dense(width, 2, rng=rng)


def more_or_fewer(model: Any, data: Data, random: random.Random) -> None:
    if random.random() < 0.5 and len(model.layers) > 1:
        del model.layers[random.randrange(len(model.layers))]
    else:
        rng = np.random.default_rng(random.getrandbits(32))
        new = random.choice([cr.Activation_Tanh(), cr.Layer_Dropout(0.6, rng=rng)])
        model.layers.insert(random.randrange(len(model.layers)), new)


def edit_samples(model: Any, data: Data, random: random.Random) -> None:
    array = random.choice([data.X, data.y, data.weight])
    values = [0.5, 0.0] if array is not data.weight else [0.5, 0.0, 2.0, -1.0, np.nan]
    array[random.randrange(N)] = random.choice(values)


def odd_attribute(model: Any, data: Data, random: random.Random) -> None:
    thing = random.choice([*model.layers, model.loss, model.optimizer])
    thing.note = random.choice([1, "a", None, [2], object])


def look(model: Any, data: Data, random: random.Random) -> Any:
    calls = [
        lambda: model.predict(data.X),
        lambda: model.evaluate(data.X, data.y, quiet=True)[0],
        lambda: model.forward(data.X),
        lambda: len(pickle.dumps(model)) > 0,
        lambda: model.gradients(data.X, data.y)[1],
        model.fingerprint,
        lambda: model.get_parameters()[0][0],
    ]
    return random.choice(calls)()


def odd_features(model: Any, data: Data, random: random.Random) -> None:
    """Sizes and arrays of the layers of tables that do not fit each other any more, or do."""
    kinds = (cr.Layer_PeriodicFeatures, cr.Layer_Embedding, cr.Layer_ParametricActivation)
    found = [layer for layer in model.layers if isinstance(layer, kinds)]
    if not found:
        return
    layer = random.choice(found)
    if isinstance(layer, cr.Layer_ParametricActivation):
        layer.activation = random.choice(["elu", "tanh", cr.Activation_LeakyReLU(0.3)])
        layer.weights = np.ones((1, random.choice([6, 6, 7])))
        return
    name = random.choice(["n_passed", "sizes", "weights", "frequencies"])
    values: dict[str, list[Any]] = {
        "n_passed": [0, 1, 2, 9, -1, 2**62],
        "sizes": [(SIZE,), (2,), (9,), (2, 1), (), (2**40,), (-1,)],
        "weights": [np.ones((SIZE, 2)), np.ones((2, 2)), np.ones((2, 3, 3)), np.ones((2, 5, 1))],
        "frequencies": [np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 7))],
    }
    setattr(layer, name, random.choice(values[name]))


EDITS: list[Edit] = [
    scale_weights,
    rebind_weights,
    spoil_weights,
    read_only,
    set_optimizer,
    new_optimizer,
    drop_states,
    set_penalty,
    set_factor,
    set_dropout,
    freeze,
    shorten,
    new_loss,
    new_accuracy,
    new_activation,
    wider,
    more_or_fewer,
    edit_samples,
    odd_attribute,
    odd_features,
    look,
    look,
]


# --- calls ----------------------------------------------------------------------------------------


class Editor:
    """A callback that makes an edit after some epochs."""

    model: Any

    def __init__(self, data: Data, edits: dict[int, tuple[Edit, int]]) -> None:
        self.data, self.edits = data, edits

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch in self.edits:
            edit, seed = self.edits[epoch]
            edit(self.model, self.data, random.Random(seed))


class Plan:
    """What happens next: one call, drawn at random, for the model and for its twin."""

    def __init__(self, random: random.Random) -> None:
        kinds = ["train", "train_on_batch", "train_on_batch", "apply_gradients", "evaluate"]
        self.call = random.choice([*kinds, "callbacks", "callbacks"])
        self.epochs = random.choice([1, 1, 3])
        self.batch_size = random.choice([None, None, 5])
        self.weighted = random.random() < 0.3
        edits = {e: (random.choice(EDITS), random.getrandbits(32)) for e in range(1, 4)}
        self.edits = {e: edit for e, edit in edits.items() if random.random() < 0.7}

    def arguments(self, data: Data) -> dict[str, Any]:
        return {"sample_weight": data.weight if self.weighted else None}

    def run(self, model: Any, data: Data) -> Any:
        weights = self.arguments(data)
        X, y = data.X, data.y
        if self.call == "train":
            return model.train(X, y, epochs=self.epochs, batch_size=self.batch_size, **weights).loss
        if self.call == "train_on_batch":
            return model.train_on_batch(X, y, **weights)
        if self.call == "apply_gradients":
            loss, flat = model.gradients(X, y, **weights)
            model.apply_gradients(flat)
            return loss
        if self.call == "evaluate":
            return model.evaluate(X, y, quiet=True, **weights)[0]
        editor = Editor(data, self.edits)
        weights["engine"] = self.engine_of(model)
        model.train(X, y, epochs=3, batch_size=self.batch_size, callbacks=[editor], **weights)
        return None

    def run_anew(self, model: Any, data: Data) -> Any:
        """Do the same by a model that keeps nothing, epoch by epoch."""
        if self.call != "callbacks":
            model.release()
            return outcome(lambda: self.run(model, data))
        found, engine = None, self.engine_of(model)
        for epoch in range(1, 4):
            model.release()
            found = outcome(lambda: self.epoch_of(model, data, engine))
            if found is None and epoch in self.edits:
                edit, seed = self.edits[epoch]
                found = outcome(lambda e=edit, s=seed: e(model, data, random.Random(s)))
            if isinstance(found, Exception):
                break
            found = None
        return found

    def epoch_of(self, model: Any, data: Data, engine: str | None) -> None:
        weights = self.arguments(data)
        model.train(data.X, data.y, batch_size=self.batch_size, engine=engine, **weights)

    def engine_of(self, model: Any) -> str | None:
        """Return which way a whole training goes: one that began with the classes stays there."""
        text = outcome(lambda: model.plan)
        return "classes" if str(text).startswith("layer by layer") else None


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return error


# --- comparison -----------------------------------------------------------------------------------


def state_of(model: Any) -> dict[str, Any]:
    """Return everything that a training has left on the model."""
    state: dict[str, Any] = {"iterations": model.optimizer.iterations}
    for position, layer in enumerate(model.layers):
        for name, value in vars(layer).items():
            kept = name in NAMES or "momentums" in name or "cache" in name
            if kept or name in ("key", "step", "rate", "optimizer_steps"):
                state[f"{position}.{name}"] = value
    return state


def check_equal(one: Any, other: Any, where: str) -> None:
    if isinstance(one, Exception) or isinstance(other, Exception):
        assert type(one) is type(other), f"{where}: {one!r} and {other!r}"
        return
    np.testing.assert_array_equal(one, other, err_msg=where)


def check_same(model: Any, twin: Any, where: str) -> None:
    one, other = state_of(model), state_of(twin)
    assert one.keys() == other.keys(), f"{where}: {one.keys() ^ other.keys()}"
    for name, value in one.items():
        if isinstance(value, dict):
            assert value == other[name], f"{where}: {name}: {value} and {other[name]}"
        elif value is None or other[name] is None:
            assert value is other[name], f"{where}: {name}"
        else:
            np.testing.assert_array_equal(value, other[name], err_msg=f"{where}: {name}")


class Pair:
    """A model and its twin, each with samples of its own."""

    def __init__(self, random: random.Random) -> None:
        self.model, self.data = new_model(random), Data(random, 2)
        self.twin, self.twin_data = copy.deepcopy(self.model), copy.deepcopy(self.data)
        self.history: list[str] = []

    def edit_and_call(self, random_: random.Random, where: str) -> tuple[int, Any]:
        """Make an edit and a call; return the number of edits, and what the call gave."""
        plan, edit, seed = Plan(random_), random_.choice(EDITS), random_.getrandbits(32)
        within = [each.__name__ for each, _ in plan.edits.values()] * (plan.call == "callbacks")
        self.history += [edit.__name__, f"{plan.call}{within or ''}"]
        where = f"{where}: {' > '.join(self.history)}"
        self.twin.release()
        one = outcome(lambda: edit(self.model, self.data, random.Random(seed)))
        other = outcome(lambda: edit(self.twin, self.twin_data, random.Random(seed)))
        check_equal(one, other, where)
        one = outcome(lambda: plan.run(self.model, self.data))
        if not isinstance(one, RuntimeError) or "go on as a compiled plan" not in str(one):
            check_equal(one, plan.run_anew(self.twin, self.twin_data), where)
            if not isinstance(one, FloatingPointError):
                check_same(self.model, self.twin, where)
        return 1 + len(within), one


def check(count: int, seed: int) -> str:
    random_ = random.Random(seed)
    errors = made = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        while made < count:
            pair = Pair(random_)
            for _ in range(12):
                edits, found = pair.edit_and_call(random_, f"seed {seed}, edit {made}")
                made += edits
                if isinstance(found, Exception):
                    errors += 1
                    break
    return f"{made} edits: the bits of a model that keeps nothing, or its error ({errors})"
