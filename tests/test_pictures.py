"""Pictures: what is drawn, on which axes, with which labels and limits; no setting is changed."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

DOCUMENT = Path(__file__).parents[1] / "docs" / "pictures.md"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def classifier(**settings: Any) -> Any:
    return cr.mlp(4, 6, 3, output="softmax", dtype="float64", seed=0, **settings)


def samples(n: int = 30) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def trained_history(**columns: Any) -> cr.History:
    history = cr.History()
    count = len(next(iter(columns.values())))
    order = ("loss", "data_loss", "regularization_loss", "accuracy", "learning_rate", "seconds",
             "validation_loss", "validation_accuracy")  # fmt: skip
    values = [np.asarray(columns.get(name, np.full(count, np.nan)), float) for name in order]
    history.append(np.stack(values, axis=1))
    return history


def plane() -> tuple[Any, Any, Any]:
    """A model of two inputs whose classes are the sign of the first, and samples."""
    model = cr.Model()
    model.add(cr.Layer_Dense(2, 2, weights=[[-3.0, 3.0], [0.0, 0.0]]))
    model.add(cr.Activation_Softmax())
    model.set(loss=cr.Loss_CategoricalCrossentropy())
    X = np.array([[-1.0, 0.0], [-0.5, 1.0], [0.5, 1.0], [1.0, 0.0], [0.8, 0.5]])
    return model, X, np.array([0, 0, 1, 1, 0])


MODEL = classifier()
X, Y = samples()
REGRESSION = cr.mlp(4, 3, 1, dtype="float64", seed=0)
HISTORY = trained_history(loss=[2.0, 1.0, 0.5], accuracy=[0.4, 0.6, 0.9])

ALL: dict[str, Callable[..., Any]] = {
    "history": lambda **k: HISTORY.plot(**k),
    "gradient_flow": lambda **k: cr.plot.gradient_flow(MODEL, X, Y, **k),
    "update_ratios": lambda **k: cr.plot.update_ratios(MODEL, X, Y, **k),
    "activations": lambda **k: cr.plot.activations(MODEL, X, Y, **k),
    "weights": lambda **k: cr.plot.weights(MODEL, **k),
    "decision_regions": lambda **k: cr.plot.decision_regions(*plane(), **k),
    "confusion": lambda **k: cr.plot.confusion(MODEL, X, Y, **k),
    "residuals": lambda **k: cr.plot.residuals(REGRESSION, X, X[:, 0], **k),
    "network": lambda **k: cr.plot.network(MODEL, **k),
}


def test_every_picture_has_its_row_here() -> None:
    assert set(cr.plot.__all__) == set(ALL)
    assert all(getattr(cr.plot, name).__doc__ for name in ALL)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_a_picture_draws_on_a_new_figure_or_on_the_axes_given(name: str, style: str) -> None:
    with plt.style.context(style):
        axes = ALL[name]()
        assert plt.get_fignums() == [1] and axes.figure.number == 1
        assert axes.has_data()
        axes.figure.canvas.draw()  # every artist can be drawn, and warns of nothing
        given = plt.figure().add_subplot()
        assert ALL[name](axes=given) is given
        assert plt.get_fignums() == [1, 2] and given.has_data()
        given.figure.canvas.draw()


@pytest.mark.parametrize("name", ALL)
def test_no_setting_of_matplotlib_is_touched(name: str) -> None:
    before = copy.deepcopy(dict(matplotlib.rcParams))
    other = plt.figure().add_subplot()
    other.plot([0, 1])
    look = other.spines["top"].get_visible(), other.xaxis.get_scale(), other.get_ylim()
    ALL[name]()
    assert dict(matplotlib.rcParams) == before
    assert (other.spines["top"].get_visible(), other.xaxis.get_scale(), other.get_ylim()) == look


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_axes_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"axes: expected a matplotlib Axes, got Figure"):
        ALL[name](axes=plt.figure())


@pytest.mark.parametrize("name", ALL)
def test_without_matplotlib_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[plot\]'"):
        ALL[name]()


@pytest.mark.parametrize("name", ALL)
def test_text_has_the_colour_of_the_style(name: str) -> None:
    """On a dark page what is neither data nor a warning is light."""
    with plt.style.context("dark_background"):
        axes = ALL[name]()
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label]
        assert {matplotlib.colors.to_hex(text.get_color()) for text in texts} == {"#ffffff"}


def test_the_model_is_left_as_it_is() -> None:
    model = classifier(dropout=0.2)
    model.train(X, Y, epochs=2)
    before = model.fingerprint(), copy.deepcopy(model.__getstate__())
    state = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    for draw in (cr.plot.gradient_flow, cr.plot.update_ratios, cr.plot.activations):
        draw(model, X, Y)
    assert model.fingerprint() == before[0]
    assert model.optimizer.iterations == before[1]["optimizer"].iterations
    assert all(not hasattr(layer, "inputs") for layer in model.layers)
    assert [layer.step for layer in model.layers if isinstance(layer, cr.Layer_Dropout)] == [2]
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # type: ignore[index]  # noqa: NPY002


# --- the learning curve ---------------------------------------------------------------------------


def labels_in(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_loss_and_accuracy_have_a_panel_each() -> None:
    history = trained_history(
        loss=[2.0, 1.0], accuracy=[0.4, 0.8],
        validation_loss=[3.0, 2.0], validation_accuracy=[0.3, 0.5],
    )  # fmt: skip
    loss = history.plot()
    assert [each.get_ylabel() for each in loss.figure.axes] == ["loss", "accuracy"]
    assert labels_in(loss) == ["loss", "validation loss"]
    for axes, names in zip(loss.figure.axes, (("loss",), ("accuracy",)), strict=True):
        for line, name in zip(axes.get_lines(), (*names, f"validation_{names[0]}"), strict=True):
            np.testing.assert_array_equal(line.get_xdata(), [1, 2])
            np.testing.assert_array_equal(line.get_ydata(), history[name])
    assert loss.figure.axes[1].get_xlabel() == "epoch"


def test_on_one_axes_the_accuracy_has_a_scale_of_its_own() -> None:
    axes = plt.figure().add_subplot()
    HISTORY.plot(axes)
    assert labels_in(axes) == ["loss", "accuracy"]
    right = axes.figure.axes[1]
    np.testing.assert_array_equal(right.get_lines()[0].get_ydata(), HISTORY.accuracy)


def test_of_a_pair_each_takes_its_own() -> None:
    pair = plt.figure().subplots(1, 2)
    assert HISTORY.plot(axes=pair) is pair[0]
    assert [each.get_ylabel() for each in pair] == ["loss", "accuracy"]
    with pytest.raises(ValueError, match="axes: expected one or a pair, got 3"):
        HISTORY.plot(axes=plt.figure().subplots(1, 3))


@pytest.mark.parametrize(
    ("loss", "scale"),
    [
        ([2.0, 1.0, 0.5], "linear"),
        ([2.0, 0.1, 0.09], "log"),
        ([2.0, 0.1, 0.0], "linear"),
        ([2.0, 0.1, -3.0], "linear"),
        ([np.inf, np.nan, 1.0], "linear"),
        ([np.nan, np.nan], "linear"),
    ],
)
def test_the_losss_scale_follows_the_data(loss: list[float], scale: str) -> None:
    axes = trained_history(loss=loss, learning_rate=np.ones(len(loss))).plot()
    assert axes.get_yscale() == scale
    axes.figure.canvas.draw()


def test_many_epochs_are_thinned_on_a_logarithmic_scale() -> None:
    axes = trained_history(loss=np.linspace(2, 1, 300_000)).plot()
    drawn = axes.get_lines()[0].get_xdata()
    assert axes.get_xscale() == "log" and len(drawn) <= 2000
    assert drawn[0] == 1 and drawn[-1] == 300_000
    assert trained_history(loss=[2.0, 1.0]).plot().get_xscale() == "linear"


def test_the_accuracys_scale_begins_where_it_does() -> None:
    history = trained_history(loss=[2.0, 1.0], accuracy=[0.9, 0.98])
    low, high = history.plot().figure.axes[1].get_ylim()
    assert 0.88 < low < 0.9 and 1 < high < 1.01
    low, high = (
        trained_history(loss=[1.0] * 2, accuracy=[-3.0, 0.2]).plot().figure.axes[1].get_ylim()
    )
    assert low < -3 and 0.2 < high < 1


def test_the_best_epoch_is_marked() -> None:
    history = trained_history(loss=[2.0, 1.0, 3.0])
    history.best_epoch = 2
    axes = history.plot()
    assert labels_in(axes) == ["loss", "best epoch"]
    assert list(axes.get_lines()[1].get_xdata()) == [2, 2]


def test_no_epoch_is_no_picture() -> None:
    with pytest.raises(ValueError, match="expected at least one epoch, got none"):
        cr.History().plot()
    assert plt.get_fignums() == []


# --- one step -------------------------------------------------------------------------------------


def step_by_hand(model: Any) -> Any:
    """Gradients, dvalues of each dense layer and the step, by the classes themselves."""
    twin = copy.deepcopy(model)
    output = twin.forward(X, training=True)
    twin.backward(output, Y)
    dense = [layer for layer in twin.layers if isinstance(layer, cr.Layer_Dense)]
    dvalues = [twin.layers[k + 1].dinputs for k, each in enumerate(twin.layers) if each in dense]
    before = [layer.weights.copy() for layer in dense]
    twin.optimizer.pre_update_params()
    for layer in dense:
        twin.optimizer.update_params(layer)
    return dense, dvalues, before


def mean_square_root(array: Any) -> float:
    return float(np.sqrt(np.mean(np.square(array))))


def test_gradient_flow_draws_the_root_mean_squares_of_the_layers() -> None:
    dense, dvalues, _ = step_by_hand(MODEL)
    axes = cr.plot.gradient_flow(MODEL, X, Y)
    assert labels_in(axes) == ["dvalues", "dweights"] and axes.get_yscale() == "log"
    drawn = [line.get_ydata() for line in axes.get_lines()]
    expected = [mean_square_root(each) for each in dvalues]
    weights = [mean_square_root(each.dweights) for each in dense]
    # the plan's sums are in another order than the classes', a few dozen terms each
    rounding = 64 * np.finfo(np.float64).eps
    np.testing.assert_allclose(drawn[0], expected, rtol=rounding, atol=0)
    np.testing.assert_allclose(drawn[1], weights, rtol=rounding, atol=0)
    low, high = axes.get_ylim()
    assert low < min(map(min, drawn)) and high > max(map(max, drawn))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["Dense 1", "Dense 3"]
    assert f"{expected[0] / expected[1]:.2g}" in axes.get_title(loc="left")


def test_vanishing_gradients_fall_towards_the_first_layer() -> None:
    deep = cr.mlp(4, *[8] * 9, 3, activation="sigmoid", output="softmax", seed=0)
    values = cr.plot.gradient_flow(deep, X, Y).get_lines()[0].get_ydata()
    assert len(values) == 10 and (np.diff(values) > 0).all() and values[0] < 1e-3 * values[-1]


def test_a_gradient_of_zero_is_marked() -> None:
    model = classifier()
    model.layers[0].biases -= 1e6  # every unit is dead
    axes = cr.plot.gradient_flow(model, X, Y)
    assert labels_in(axes) == ["dvalues", "dvalues: 0", "dweights", "dweights: 0"]
    marks = [line for line in axes.get_lines() if line.get_marker() == "x"]
    # the upper layer's inputs are 0, and so are its weights' gradients
    assert [list(line.get_xdata()) for line in marks] == [[0], [0, 1]]


def test_update_ratios_draw_the_optimizers_own_step() -> None:
    model = classifier()
    model.train(X, Y, epochs=3)  # moments are not 0
    dense, _, before = step_by_hand(model)
    axes = cr.plot.update_ratios(model, X, Y)
    points = [line for line in axes.get_lines() if line.get_marker() == "."]
    marks = [line for line in axes.get_lines() if line.get_color() == "#e08214"]
    for place, (layer, old) in enumerate(zip(dense, before, strict=True)):
        step = layer.weights - old
        drawn = np.sort(points[place].get_ydata())
        # the weights before come from those after: one rounding of each
        np.testing.assert_allclose(drawn, np.sort(np.abs(step / old).ravel()), rtol=1e-9)
        assert (np.abs(points[place].get_xdata() - place) < 0.5).all()
        whole = mean_square_root(step) / mean_square_root(old)
        np.testing.assert_allclose(marks[place].get_ydata(), whole, rtol=1e-9)
    assert set(labels_in(axes)) == {"usual", "each weight", "weights", "biases"}


def test_weights_that_do_not_move_are_counted() -> None:
    model = classifier()
    model.layers[0].biases[0, :2] = -1e6
    axes = cr.plot.update_ratios(model, X, Y)
    texts = [text.get_text() for text in axes.get_xticklabels()]
    assert texts == ["Dense 1\n8 unmoved", "Dense 3\n6 unmoved"]
    assert len(axes.get_lines()[0].get_ydata()) == 24 - 8


def test_frozen_layers_have_no_ratio() -> None:
    model = classifier()
    model.layers[0].trainable = False
    texts = [text.get_text() for text in cr.plot.update_ratios(model, X, Y).get_xticklabels()]
    assert texts == ["Dense 3"]


def test_activations_count_dead_units_and_saturated_outputs() -> None:
    model = classifier()
    model.layers[0].biases[0, [1, 4]] = -1e6
    axes = cr.plot.activations(model, X, Y)
    texts = axes.get_xticklabels()
    assert [text.get_text() for text in texts] == ["ReLU 2\n2 of 6 dead", "Softmax 4"]
    assert texts[0].get_color() == "#d6404e" != texts[1].get_color()
    assert axes.get_title(loc="left") == "Outputs over 30 samples"
    tanh = cr.mlp(4, 5, 1, activation="tanh", seed=0)
    tanh.layers[0].biases += 100.0
    texts = cr.plot.activations(tanh, X, X[:, 0]).get_xticklabels()
    assert [text.get_text() for text in texts] == ["Tanh 2\n100 % saturated", "Linear 4"]


def test_the_shapes_of_activations_reach_from_least_to_greatest() -> None:
    twin = copy.deepcopy(MODEL)
    twin.forward(X)
    for place, shape in enumerate(cr.plot.activations(MODEL, X, Y).collections):
        points = shape.get_paths()[0].vertices
        output = twin.layers[2 * place + 1].output
        assert points[:, 1].min() == output.min() and points[:, 1].max() == output.max()
        assert (np.abs(points[:, 0] - place) <= 0.42).all()


STEPS = ("gradient_flow", "update_ratios", "activations")


@pytest.mark.parametrize("name", STEPS)
def test_an_explanation_serves_as_well(name: str) -> None:
    """Whatever has rows and entries with the arrays of a step."""
    zeros = np.zeros((2, 3))
    dense = SimpleNamespace(
        inputs=X, output=zeros, dvalues=zeros + 0.5, dinputs=X, dweights=zeros + 0.25,
        dbiases=zeros[:1], step_weights=zeros + 0.125, step_biases=zeros[:1],
        weights_after=zeros + 1.0, biases_after=zeros[:1],
    )  # fmt: skip
    relu = SimpleNamespace(
        inputs=zeros, output=zeros, dvalues=zeros, dinputs=zeros, dweights=None, dead=[0, 2]
    )

    class Told(list[Any]):
        rows = (SimpleNamespace(layer="Layer_Dense 1"), SimpleNamespace(layer="Activation_ReLU 2"))

    axes = getattr(cr.plot, name)(Told([dense, relu]))
    labels = [text.get_text() for text in axes.get_xticklabels()]
    if name == "activations":
        assert labels == ["ReLU 2\n2 of 3 dead"]
    else:
        assert labels == ["Dense 1"]
    if name == "gradient_flow":
        assert [line.get_ydata().item() for line in axes.get_lines()] == [0.5, 0.25]
    if name == "update_ratios":
        np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), np.full(6, 0.125 / 0.875))


@pytest.mark.parametrize("name", STEPS)
def test_a_model_comes_with_samples_and_an_explanation_without(name: str) -> None:
    draw = getattr(cr.plot, name)
    with pytest.raises(TypeError, match=f"{name}: expected X and y with a model, got no y"):
        draw(MODEL, X)
    with pytest.raises(TypeError, match=f"{name}: expected a model with X and y, or an expl.*int"):
        draw(3)
    with pytest.raises(TypeError, match="expected an explanation alone, got X or y beside it"):
        draw(SimpleNamespace(rows=(), __getitem__=None), X)
    with pytest.raises(ValueError, match=r"inputs: expected \(n, 4\), got \(30, 3\)"):
        draw(MODEL, X[:, :3], Y)
    assert plt.get_fignums() == []


def test_update_ratios_need_an_optimizer() -> None:
    model, points, y = plane()
    with pytest.raises(ValueError, match="expected a model with an optimizer and layers"):
        cr.plot.update_ratios(model, points, y)


# --- what a model has learned ---------------------------------------------------------------------


def test_weights_are_images_where_the_inputs_are_a_square() -> None:
    layer = cr.Layer_Dense(16, 5, rng=0)
    axes = cr.plot.weights(layer)
    image = axes.get_images()[0]
    shown = image.get_array()
    assert shown.shape == (2 * 5 - 1, 3 * 5 - 1)  # 2 rows of 3 images, a line between them
    for k in range(5):
        top, left = k // 3 * 5, k % 3 * 5
        part = shown[top : top + 4, left : left + 4]
        np.testing.assert_array_equal(part, layer.weights[:, k].reshape(4, 4))
    assert image.get_clim() == (-np.abs(layer.weights).max(), np.abs(layer.weights).max())
    assert axes.get_title(loc="left") == "Layer_Dense(16, 5): 5 neurons"


def test_weights_take_a_shape_or_are_the_matrix() -> None:
    layer = cr.Layer_Dense(16, 3, rng=0)
    assert cr.plot.weights(layer, shape=(2, 8)).get_images()[0].get_array().shape == (8, 8)
    matrix = cr.plot.weights(layer, shape=(0, 0))
    np.testing.assert_array_equal(matrix.get_images()[0].get_array(), layer.weights)
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == ("neuron", "input")
    plain = cr.plot.weights(cr.Layer_Dense(12, 3, rng=0))
    assert plain.get_images()[0].get_array().shape == (12, 3)
    many = cr.plot.weights(cr.Layer_Dense(16, 130, rng=0))
    assert many.get_title(loc="left") == "Layer_Dense(16, 130): 100 of 130 neurons"


def test_weights_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="shape: expected 16 pixels, as there are inputs"):
        cr.plot.weights(cr.Layer_Dense(16, 3), shape=(3, 5))
    with pytest.raises(TypeError, match=r"shape: expected \(rows, columns\), got 4"):
        cr.plot.weights(cr.Layer_Dense(16, 3), shape=4)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a model or a layer with weights"):
        cr.plot.weights(cr.Activation_ReLU())


def test_decision_regions_paint_the_predicted_classes() -> None:
    model, points, y = plane()
    axes = cr.plot.decision_regions(model, points, y, labels=["left", "right"], resolution=50)
    paint = axes.get_images()[0].get_array()
    assert paint.shape == (50, 50, 4)
    left, right, bottom, top = axes.get_images()[0].get_extent()
    assert (left, right) == axes.get_xlim() and (bottom, top) == axes.get_ylim()
    columns = left + (right - left) * (np.arange(50) + 0.5) / 50
    blue = np.array(matplotlib.colors.to_rgb("#2f7fd1"))
    np.testing.assert_array_equal((paint[0, :, :3] == blue).all(axis=-1), columns < 0)
    alpha = paint[0, :, 3]
    assert alpha[np.abs(columns).argmin()] < alpha[0] and alpha[-1] <= 0.45
    assert labels_in(axes) == ["left", "right", "wrong"]
    assert axes.get_title(loc="left") == "80.0 % of 5 samples right"
    wrong = axes.collections[-1].get_offsets()
    np.testing.assert_array_equal(wrong, [[0.8, 0.5]])


@pytest.mark.parametrize(
    ("loss", "last", "targets"),
    [
        (cr.Loss_BinaryCrossentropy(), cr.Activation_Sigmoid, [0, 0, 1, 1, 0]),
        (cr.Loss_BinaryCrossentropy(from_logits=True), None, [0, 0, 1, 1, 0]),
        (cr.Loss_Hinge(), None, [-1, -1, 1, 1, -1]),
    ],
)
def test_one_output_parts_two_classes(loss: Any, last: Any, targets: list[int]) -> None:
    model = cr.Model()
    model.add(cr.Layer_Dense(2, 1, weights=[[3.0], [0.0]]))
    if last is not None:
        model.add(last())
    model.set(loss=loss)
    _, points, _ = plane()
    for y in (np.array(targets), np.array(targets)[:, None]):
        axes = cr.plot.decision_regions(model, points, y, resolution=20)
        assert axes.get_title(loc="left") == "80.0 % of 5 samples right"
        axes = cr.plot.confusion(model, points, y)
        assert axes.get_title(loc="left") == "4 of 5 right (80.0 %)"


def test_confusion_counts_true_and_predicted() -> None:
    model, points, y = plane()
    axes = cr.plot.confusion(model, points, y, labels=("left", "right"))
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "2", (1, 0): "1", (1, 1): "2"}  # (predicted, true)
    shade = axes.get_images()[0].get_array()
    assert shade[0, 0] < 0 < shade[0, 1] and np.ma.getmaskarray(shade)[1, 0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["left", "right"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    hot = np.eye(2)[y]
    assert cr.plot.confusion(model, points, hot).get_title(loc="left") == "4 of 5 right (80.0 %)"


@pytest.mark.parametrize("name", ["decision_regions", "confusion"])
def test_classes_that_do_not_fit_are_refused(name: str) -> None:
    model, points, y = plane()
    draw = getattr(cr.plot, name)
    for bad, text in (
        (y[:3], r"y: expected one target for each of 5 samples, got \(3,\)"),
        (y - 1, "y: expected labels of at least 0, got -1"),
        (np.eye(3)[y], r"y: expected \(n, 2\), got \(5, 3\)"),
    ):
        with pytest.raises(ValueError, match=text):
            draw(model, points, bad)
    with pytest.raises(TypeError, match="y: expected integer class labels, got float64"):
        draw(model, points, y + 0.5)
    with pytest.raises(ValueError, match="labels: expected 2, one for each class, got 1"):
        draw(model, points, y, labels=["one"])
    with pytest.raises(TypeError, match=f"{name}: expected a Model, got Layer_Dense"):
        draw(model.layers[0], points, y)
    with pytest.raises(ValueError, match=f"{name}: expected a model that predicts classes"):
        draw(cr.mlp(2, 3, 1, seed=0), points, points[:, 0])
    assert plt.get_fignums() == []


def test_decision_regions_need_two_inputs() -> None:
    with pytest.raises(ValueError, match=r"X: expected \(n, 2\) with n at least 1, got \(30, 4\)"):
        cr.plot.decision_regions(MODEL, X, Y)


def test_residuals_are_targets_minus_predictions() -> None:
    y = X[:, 0]
    axes = cr.plot.residuals(REGRESSION, X, y)
    output = REGRESSION.predict(X)[:, 0]
    points = next(line for line in axes.get_lines() if line.get_marker() == ".")
    np.testing.assert_array_equal(points.get_xdata(), output)
    np.testing.assert_array_equal(points.get_ydata(), y - output)
    error = mean_square_root(y - output)
    assert axes.get_title(loc="left").startswith(f"root mean square error {error:.3g}, R²")
    two = cr.mlp(4, 3, 2, seed=0)
    assert labels_in(cr.plot.residuals(two, X, X[:, :2])) == ["output 0", "output 1"]
    with pytest.raises(ValueError, match=r"y: expected \(30, 1\) with a sample at least, got \(5"):
        cr.plot.residuals(REGRESSION, X, y[:5])


def test_the_network_has_a_circle_a_unit_and_a_line_a_weight() -> None:
    axes = cr.plot.network(MODEL)
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [4, 6, 3]
    assert [text.get_text() for text in axes.texts] == ["4 inputs", "6 ReLU", "3 Softmax"]
    for lines, layer in zip(axes.collections, MODEL.layers[::2], strict=True):
        strong = np.abs(layer.weights) >= 0.06 * np.abs(layer.weights).max()
        assert len(lines.get_segments()) == np.count_nonzero(strong)
        red = lines.get_colors()[:, 0] > lines.get_colors()[:, 2]
        np.testing.assert_array_equal(red, layer.weights[strong] > 0)
    assert axes.get_title(loc="left") == "4-6-3"


def test_of_many_units_some_are_drawn() -> None:
    axes = cr.plot.network(cr.mlp(64, 16, 10, seed=0))
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [16, 16, 10]
    assert [text.get_text() for text in axes.texts][:2] == ["⋮", "64 inputs"]
    with pytest.raises(ValueError, match=r"expected a layer with weights \(d, m\), got none"):
        model = cr.Model()
        model.add(cr.Activation_ReLU())
        cr.plot.network(model)


# --- the page about them --------------------------------------------------------------------------


@pytest.mark.skipif(not DOCUMENT.is_file(), reason="the documents are not beside the tests")
def test_the_documents_pictures_take_three_lines_each() -> None:
    first, *blocks = re.findall(
        r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(first, names)
    drawn = set()
    for block in blocks:
        assert len(block.strip().splitlines()) <= 3
        exec(block, names)
        if "r.graph()" in block:
            assert names["r"].graph().svg().startswith("<svg")
            continue
        assert plt.get_fignums() == [1] and plt.gcf().axes[0].has_data(), block
        plt.close("all")
        drawn.add(re.findall(r"\.(\w+)\(", block.strip().splitlines()[-1])[0])
    assert drawn == {"plot" if name == "history" else name for name in ALL}
