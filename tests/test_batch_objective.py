"""The objective of a batch: ``loss_factor * loss + penalties / sum of the batch's weights``.

What a training request may ask for, and scikit-learn's estimators do. The oracle is the classes'
own step with strengths divided by hand; a plan must do the same in both engines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.history import History
from chainrule.training import TrainingRequest, runner_for
from chainrule.training.request import Objective
from plan_cases import WAYS, going

N, BATCH = 23, 8  # the last batch has 7
STRENGTHS = {
    f"{kind}_regularizer_{which}": strength
    for kind in ("weight", "bias")
    for which, strength in (("l1", 0.3), ("l2", 0.2))
}


def samples(dtype: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(N, 4)).astype(dtype)
    return X, rng.normal(size=(N, 3)).astype(dtype), rng.uniform(0.2, 3, N)


def made(dtype: Any, scale: bool, strengths: dict[str, float]) -> cr.Model:
    model = cr.Model()
    if scale:
        model.add(cr.Layer_Scale(4, dtype=dtype))
        model.layers[0].weight_regularizer_l2 = strengths["weight_regularizer_l2"]
    for k, (d, m) in enumerate(((4, 6), (6, 3))):
        layer = cr.Layer_Dense(d, m, init="glorot_uniform", dtype=dtype, rng=k, **strengths)
        layer.biases += 0.1
        model.add(layer)
        model.add(cr.Activation_Tanh() if k == 0 else cr.Activation_Linear())
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.05, momentum=0.5))
    model.finalize()
    return model


def arrays(model: cr.Model) -> list[Any]:
    return [layer.weights for layer in model.layers if hasattr(layer, "weights")] + [
        layer.biases for layer in model.layers if hasattr(layer, "biases")
    ]


def run(model: cr.Model, request: TrainingRequest) -> History:
    """Run a request to its end."""
    history = History()
    runner = runner_for(model, request)
    while not runner.done:
        runner.run(10**6, 1.0)
    runner.report_epochs(history)
    runner.write_back()
    runner.close()
    return history


def by_hand(
    model: cr.Model, X: Any, y: Any, weight: Any, factor: float, clip: float | None
) -> tuple[list[float], list[float]]:
    """Train two epochs by the classes; return each epoch's mean of losses and of penalties."""
    losses, penalties = [], []
    optimizer = model.optimizer
    kept = [(layer, dict(strengths_of(layer))) for layer in model.layers]
    for _ in range(2):
        rows = loss_sum = penalty_sum = 0.0
        for start in range(0, N, BATCH):
            part = slice(start, min(start + BATCH, N))
            w = np.ones(N) if weight is None else weight
            total = w[part].sum()
            for layer, strengths in kept:
                for name, value in strengths.items():
                    setattr(layer, name, value / total)
            output = model.forward(X[part], training=True)
            each = ((output - y[part]) ** 2).mean(1).astype(np.float64)
            count = part.stop - part.start
            rows += count
            loss_sum += count * factor * float((w[part] * each).sum() / total)
            penalty_sum += count * sum(penalty(layer) for layer, _ in kept)
            for layer, _ in kept:  # the gradient of factor * loss: that of the loss, less penalties
                for name in strengths_of(layer):
                    setattr(layer, name, getattr(layer, name) / factor)
            model.backward(output, y[part], sample_weight=w[part])
            gradients = [(layer, name) for layer, _ in kept for name in ("dweights", "dbiases")]
            gradients = [pair for pair in gradients if hasattr(*pair)]
            for pair in gradients:
                setattr(*pair, getattr(*pair) * factor)
            if clip is not None:
                norm = np.sqrt(sum(float((getattr(*pair) ** 2).sum()) for pair in gradients))
                for pair in gradients:
                    setattr(*pair, getattr(*pair) * min(1.0, clip / norm))
            optimizer.pre_update_params()
            for layer in model.trainable_layers:
                optimizer.update_params(layer)
            optimizer.post_update_params()
        losses.append(loss_sum / rows)
        penalties.append(penalty_sum / rows)
    for layer, strengths in kept:
        vars(layer).update(strengths)
    return losses, penalties


def strengths_of(layer: Any) -> dict[str, float]:
    return {name: value for name, value in vars(layer).items() if "_regularizer_" in name}


def penalty(layer: Any) -> float:
    total = 0.0
    for name, value in strengths_of(layer).items():
        array = layer.weights if name.startswith("weight") else layer.biases
        array = np.asarray(array, dtype=np.float64)
        total += value * float(np.abs(array).sum() if name.endswith("l1") else (array**2).sum())
    return total


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_steps_and_reports_are_those_of_the_batch(
    dtype: Any, scale: bool, weighted: bool, clip: float | None, way: str
) -> None:
    X, y, weight = samples(dtype)
    given = weight if weighted else None
    factor = 3.0
    model, expected = made(dtype, scale, STRENGTHS), made(dtype, scale, STRENGTHS)
    request = TrainingRequest(
        X=X,
        y=y,
        epochs=2,
        batch_size=BATCH,
        sample_weight=given,
        clip_norm=clip,
        objective=Objective(factor, of_batch=True),
        dtype=np.dtype(dtype),
    )
    with going(way):
        history = run(model, request)
    losses, penalties = by_hand(expected, X, y, given, factor, clip)
    # six steps on numbers of about 1, each a sum of at most some dozens of them
    bound = 6 * 64 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(history.data_loss, losses, rtol=bound)
    np.testing.assert_allclose(history.regularization_loss, penalties, rtol=bound)
    np.testing.assert_allclose(history.loss, np.add(losses, penalties), rtol=bound)
    for one, other in zip(arrays(model), arrays(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


@pytest.mark.parametrize("way", WAYS)
def test_a_factor_alone_multiplies_loss_gradient_and_validation(way: str) -> None:
    X, y, weight = samples(np.float64)
    model, plain = made(np.float64, False, STRENGTHS), made(np.float64, False, STRENGTHS)
    shape = {"X": X, "y": y, "epochs": 1, "batch_size": N, "dtype": np.dtype(np.float64)}
    held: dict[str, Any] = {"validation": (X, y, weight), "validation_batch_size": N}
    with going(way):
        doubled = run(model, TrainingRequest(objective=Objective(2.0), **shape, **held))
        once = run(plain, TrainingRequest(**shape, **held))
    np.testing.assert_allclose(doubled.data_loss, 2 * once.data_loss, rtol=1e-15)
    assert doubled.regularization_loss[0] != once.regularization_loss[0]  # other parameters by then
    model.optimizer, plain.optimizer = cr.Optimizer_SGD(0.0), cr.Optimizer_SGD(0.0)
    model.set_parameters(plain.get_parameters())
    with going(way):
        doubled = run(model, TrainingRequest(objective=Objective(2.0), **shape, **held))
        once = run(plain, TrainingRequest(**shape, **held))
    np.testing.assert_allclose(doubled.validation_loss, 2 * once.validation_loss, rtol=1e-15)
    np.testing.assert_array_equal(doubled.regularization_loss, once.regularization_loss)


def test_model_train_is_left_as_it_was() -> None:
    X, y, _ = samples(np.float64)
    model, plain = made(np.float64, False, STRENGTHS), made(np.float64, False, STRENGTHS)
    request = TrainingRequest(X=X, y=y, epochs=1, batch_size=BATCH, dtype=np.dtype(np.float64))
    assert request.objective == Objective(1.0, of_batch=False)
    history = run(model, request)
    plain.train(X, y, batch_size=BATCH)
    assert plain.history is not None
    np.testing.assert_array_equal(history.loss, plain.history.loss)
    for one, other in zip(arrays(model), arrays(plain), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_plan_with_an_objective_has_no_short_way_for_steps_without() -> None:
    X, y, _ = samples(np.float64)
    model, plain = made(np.float64, False, STRENGTHS), made(np.float64, False, STRENGTHS)
    objective = Objective(3.0, of_batch=True)
    run(
        model,
        TrainingRequest(
            X=X, y=y, epochs=1, batch_size=N, objective=objective, dtype=np.dtype(np.float64)
        ),
    )
    plain.set_parameters(model.get_parameters())
    for each in (model, plain):
        each.optimizer = cr.Optimizer_SGD(0.05, momentum=0.5)
    assert model.train_on_batch(X, y) == plain.train_on_batch(X, y)
    for one, other in zip(arrays(model), arrays(plain), strict=True):
        np.testing.assert_array_equal(one, other)
