"""A program for a package to which new_parts.py has added its parts: they are everywhere.

    python tests/new_parts_at_work.py FOLDER

fails where one is missing; FOLDER is for files. The classes are no names of the package itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import _core, activations, catalogue
from chainrule.losses import real_targets
from chainrule.optimizers import rules

Cube: Any = vars(activations)["Activation_Cube"]
FourthPower: Any = vars(real_targets)["Loss_FourthPower"]
Halved: Any = vars(rules)["Optimizer_Halved"]

Array = np.ndarray[Any, Any]


def make_model(dtype: Any) -> cr.Model:
    rng = np.random.default_rng(3)
    model = cr.Model()
    for layer in (
        cr.Layer_Dense(4, 19, weight_scale=0.5, dtype=dtype, rng=rng),
        Cube(0.2),
        cr.Layer_Dense(19, 3, weight_scale=0.3, dtype=dtype, rng=rng),
    ):
        model.add(layer)
    model.set(
        loss=FourthPower(),
        optimizer=Halved(0.001, 0.1, 0.75, weight_decay=0.1),
        accuracy=cr.Accuracy_Regression(),
    )
    model.finalize()
    return model


def samples() -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    return rng.standard_normal((23, 4)), rng.standard_normal((23, 3))


def arrays(model: cr.Model) -> list[Array]:
    names = ("weights", "biases", "weight_trails", "bias_trails")
    return [vars(layer)[name] for layer in model.layers[::2] for name in names]


def check_lists() -> None:
    rows = {kind: {row["name"]: row for row in rows} for kind, rows in _core.catalogue().items()}
    assert rows["activations"]["cube"]["parameters"] == ("scale",)
    assert rows["activations"]["cube"]["needs_inputs"] is True
    assert rows["losses"]["fourth_power"]["gradient"] == "4 (p - y)^3 / m / n"
    assert rows["rules"]["halved"]["states"] == ("trails",)
    for kind, cls in (("activation", Cube), ("loss", FourthPower), ("optimizer", Halved)):
        assert cls in catalogue.classes(kind)
        assert not hasattr(cr, cls.__name__)
    try:
        _core.update("unknown", ())
    except ValueError as error:
        assert "halved" in str(error), error


def check_classes() -> None:
    x = np.array([[-1.0, 0.5, 2.0]])
    layer = Cube(0.5)
    np.testing.assert_allclose(layer.forward(x), x**3 / 2, rtol=1e-15)
    np.testing.assert_allclose(layer.backward(np.ones_like(x)), 1.5 * x**2, rtol=1e-15)
    assert repr(layer) == "Activation_Cube(scale=0.5)"
    np.testing.assert_allclose(FourthPower().forward(x, 0 * x), [(x**4).mean()], rtol=1e-15)
    dense = cr.Layer_Dense(1, 1, rng=0)
    dense.weights[...], dense.dweights, dense.dbiases = 1.0, np.ones((1, 1)), np.zeros((1, 1))
    optimizer = Halved(0.5)
    for expected in (0.75, 0.375):  # trails 1, then 1.5
        optimizer.update_params(dense)
        assert dense.weights[0, 0] == expected


def check_plan(dtype: Any) -> None:
    """Both engines do what the classes do, to the roundings of six steps."""
    X, y = samples()
    found = []
    for way in ("nano", "panels", "by hand"):
        model = make_model(dtype)
        assert model.plan.startswith("compiled plan, "), model.plan
        if way == "by hand":
            for _ in range(2):
                for rows in (slice(0, 9), slice(9, 18), slice(18, 23)):
                    model.backward(model.forward(X[rows], training=True), y[rows])
                    model.optimizer.pre_update_params()
                    for layer in model.trainable_layers:
                        model.optimizer.update_params(layer)
                    model.optimizer.post_update_params()
        else:
            os.environ["CHAINRULE_ENGINE"] = way
            model.train(X, y, epochs=2, batch_size=9)
            assert f"engine {way} " in model.plan, model.plan
            del os.environ["CHAINRULE_ENGINE"]
        found.append(arrays(model))
    scale = 1000 * np.finfo(dtype).eps
    for nano, panels, hand in zip(*found, strict=True):
        np.testing.assert_allclose(nano, hand, rtol=scale, atol=scale)
        np.testing.assert_allclose(panels, hand, rtol=scale, atol=scale)


def check_files(folder: Path) -> None:
    X, y = samples()
    whole, first = make_model(np.float64), make_model(np.float64)
    whole.train(X, y, epochs=4, batch_size=9)
    first.train(X, y, epochs=2, batch_size=9)
    first.save(folder / "model")
    second = cr.Model.load(folder / "model")
    assert repr(second) == repr(first) and "Activation_Cube(scale=0.2)" in repr(second)
    second.train(X, y, epochs=2, batch_size=9)
    for one, other in zip(arrays(whole), arrays(second), strict=True):
        np.testing.assert_array_equal(one, other)


def check_gradients() -> None:
    report = cr.gradcheck(make_model(np.float64), *samples())
    assert report and "plan" in str(report), report


def main(folder: Path) -> None:
    checks: list[Callable[[], None]] = [check_lists, check_classes, check_gradients]
    for check in checks:
        check()
    for dtype in (np.float32, np.float64):
        check_plan(dtype)
    check_files(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
