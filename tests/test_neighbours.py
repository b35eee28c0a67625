"""What the notebooks' models have: layer.prev, layer.next, input_layer, output_layer_activation."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Linear,
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Layer_Input,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    Model,
)
from test_model import M, N, OwnDense, data, net


def test_layers_know_their_neighbours() -> None:
    model = net(dropout=True)
    layers = model.layers
    assert layers[0].prev is model.input_layer and isinstance(model.input_layer, Layer_Input)
    for before, after in pairwise(layers):
        assert before.next is after and after.prev is before
    assert layers[-1].next is model.loss
    assert model.output_layer_activation is layers[-1]


def test_a_pass_by_hand_as_the_notebook_does_it() -> None:
    X, _ = data()
    model = net()
    expected = model.forward(X)
    model.input_layer.forward(X, False)
    for layer in model.layers:
        layer.forward(layer.prev.output, False)
    np.testing.assert_array_equal(model.layers[-1].output, expected)
    model.forward(X[:5])
    assert model.input_layer.output is not None and len(model.layers[0].prev.output) == 5
    output = model.predict(X)
    predicted = model.output_layer_activation.predictions(output)
    np.testing.assert_array_equal(predicted, output.argmax(axis=1))


def test_a_backward_pass_by_hand_as_the_notebook_does_it() -> None:
    X, y = data()
    model = net()
    joint = model.softmax_classifier_output
    assert isinstance(joint, Activation_Softmax_Loss_CategoricalCrossentropy)
    output = model.forward(X, True)
    model.backward(output, y)
    expected = model.layers[0].dweights
    np.testing.assert_array_equal(joint.dinputs, model.layers[-1].dinputs)
    joint.backward(output, y)
    model.layers[-1].dinputs = joint.dinputs
    for layer in reversed(model.layers[:-1]):
        layer.backward(layer.next.dinputs)
    np.testing.assert_array_equal(model.layers[0].dweights, expected)


def test_the_joint_class_is_there_only_where_it_serves() -> None:
    model = net()
    assert model.softmax_classifier_output is not None
    model.set(loss=Loss_MeanSquaredError())
    model.finalize()
    assert model.softmax_classifier_output is None
    assert net(loss="half_squared_error").softmax_classifier_output is None
    assert Model().softmax_classifier_output is None and Model().input_layer is None


def test_a_change_shows_at_once() -> None:
    model = net()
    new = model.layers[1] = Activation_Linear()
    assert model.layers[0].next is new and model.layers[2].prev is new
    model.predict(data()[0])
    assert new.prev is model.layers[0] and new.next is model.layers[2]
    model.add(Activation_Softmax())
    model.finalize()
    assert model.output_layer_activation is model.layers[-1]


def test_a_layer_alone_has_none() -> None:
    layer = Layer_Dense(3, 2)
    assert layer.prev is None and layer.next is None
    model = net()
    first = model.layers[0]
    assert first.next is model.layers[1]
    del model
    gc.collect()
    assert first.next is None  # nothing keeps the model


def test_own_layers_stand_between_them() -> None:
    model = net()
    own = model.layers[2] = OwnDense(model.layers[2])
    model.finalize()
    assert model.layers[1].next is own and model.layers[3].prev is own
    assert set(vars(own)) == {"weights", "biases"}  # they get no attributes


@pytest.mark.parametrize(
    "copier", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_of_one_layer_leaves_the_others_behind(copier: Any) -> None:
    model = net()
    layer = model.layers[0]
    twin = copier(layer)
    assert twin.next is None and layer.next is model.layers[1]
    wide = Model()
    for sizes in ((3, 4), (4, 2000), (2000, 4)):
        wide.add(Layer_Dense(*sizes))
    wide.finalize()
    assert len(pickle.dumps(wide.layers[0])) < 3000


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_model_are_linked_among_themselves(copier: Any) -> None:
    model = net()
    twin = copier(model)
    for before, after in pairwise(twin.layers):
        assert before.next is after and after.prev is before
    assert twin.layers[0].prev is twin.input_layer is not model.input_layer
    assert twin.output_layer_activation is twin.layers[-1]
    assert twin.layers[-1].next is twin.loss
    assert model.layers[0].next is model.layers[1]


def test_a_shallow_copy_takes_no_layer_away() -> None:
    model = net()
    twin = copy.copy(model)
    twin.predict(data()[0])
    del twin
    gc.collect()
    assert model.layers[0].next is model.layers[1]


def test_what_a_script_assigns_counts() -> None:
    """A model class of the script's own links the package's layers by itself."""
    first, last = Layer_Dense(4, 6), Layer_Dense(6, 3)
    first.next, last.prev = last, first
    assert first.next is last and last.prev is first


def test_no_ring_of_references_keeps_a_model_alive() -> None:
    """Its arrays are freed with the last name for it, not by the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        X, y = data()
        model = net()
        model.train(X, y)
        model.evaluate(X, y, quiet=True)
        watch = weakref.ref(model.layers[0])
        del model
        assert watch() is None
    finally:
        gc.enable()


def test_models_from_before_there_were_these_attributes_load() -> None:
    """A state as a script's own class pickled it: layers with their neighbours, no history."""
    first, last = Layer_Dense(4, 6, rng=1), Layer_Dense(6, 3, rng=2)
    softmax = Activation_Softmax()
    loss = Loss_CategoricalCrossentropy()
    vars(first).update(prev=Layer_Input(), next=last)
    vars(last).update(prev=first, next=softmax)
    vars(softmax).update(prev=last, next=loss)
    model = Model.__new__(Model)
    state = {
        "layers": [first, last, softmax],
        "softmax_classifier_output": None,
        "input_layer": Layer_Input(),
        "output_layer_activation": softmax,
        "trainable_layers": [first, last],
        "loss": loss,
    }
    model.__setstate__(state)
    X, y = data()
    assert model.history is None and model.rng is None and model.optimizer is None
    assert model.predict(X).shape == (N, M)
    from chainrule import Optimizer_Adam

    model.set(optimizer=Optimizer_Adam())
    assert len(model.train(X, y, epochs=2)) == 2
    assert repr(model).startswith("Model(") and model.stop_training is False


def test_classes_that_mix_something_in_are_models(tmp_path: Any) -> None:
    class Notes:
        notes: list[str]

        def note(self, text: str) -> None:
            self.notes = [*getattr(self, "notes", []), text]

    class Mine(Model, Notes):
        pass

    X, y = data()
    model = net()
    model.__class__ = Mine
    model.note("mine")  # type: ignore[attr-defined]
    history = model.train(X, y, epochs=2)
    np.testing.assert_array_equal(history.loss, net().train(X, y, epochs=2).loss)
    assert model.plan.startswith("compiled plan") and repr(model).startswith("Mine(")
    model.save(tmp_path / "model")  # what a training leaves on it is no setting of the user's
    plain = Model.load(tmp_path / "model")
    mine = Model.load(tmp_path / "model", custom=[Mine])
    assert type(plain) is Model and type(mine) is Mine
    assert mine.notes == ["mine"]  # type: ignore[attr-defined]
    for each in (plain, mine):
        np.testing.assert_array_equal(each.predict(X), model.predict(X))


def test_every_attribute_of_a_model_is_there_from_the_beginning() -> None:
    X, y = data()
    model = net(dropout=True)
    model.train(X, y, epochs=2, shuffle=True, rng=1, validation_data=(X, y), best_epoch="loss")
    model.evaluate(X, y, quiet=True)
    model.backward(model.forward(X), y)
    assert set(vars(model)) == set(vars(Model()))
