"""The examples give the notebooks' numbers, and run as scripts."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chainrule

FOLDER = Path(__file__).parents[1] / "examples"
ESTIMATORS = sorted(path.stem for path in FOLDER.glob("estimators_*.py"))
WITHOUT = [] if importlib.util.find_spec("sklearn") else ESTIMATORS
if importlib.util.find_spec("flask") is None:  # that example's own requirement
    WITHOUT = [*WITHOUT, "estimators_flask"]
TRACKED = ["tracking_with_mlflow"]  # without MLflow it says so, and no more
LEFT_OUT = [*WITHOUT, *([] if importlib.util.find_spec("mlflow") else TRACKED)]
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in LEFT_OUT)
OF_SCALE = ("many_nets", "much_data")
WITHOUT_PICTURE = ("dense_layer_by_hand", "own_layer", *OF_SCALE, *ESTIMATORS, *TRACKED)


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, folder: Path, *arguments: str, blocked: bool = False) -> str:
    """Run the script in `folder`; with `blocked`, matplotlib cannot be imported."""
    paths = [str(Path(chainrule.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    if blocked:
        (folder / "blocked").mkdir()
        (folder / "blocked" / "matplotlib.py").write_text("raise ImportError('not here')\n")
        paths.insert(0, str(folder / "blocked"))
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(FOLDER / f"{name}.py"), *arguments],
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": os.pathsep.join(paths)},
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def few_steps(name: str) -> list[str]:
    return ["--steps", "300", "--sweeps", "20"] if name.startswith("sine") else []


def rounded(values: Any, decimals: int = 3) -> list[float]:
    return [round(float(value), decimals) for value in np.ravel(values)]


@pytest.mark.parametrize("name", NAMES)
def test_example_runs_and_draws_its_picture(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = run(name, tmp_path, *few_steps(name))
    assert "WRONG" not in out and "agree" in out
    if name not in WITHOUT_PICTURE:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="MLflow is here")
def test_the_example_of_mlflow_says_what_is_missing(tmp_path: Path) -> None:
    assert run(*TRACKED, tmp_path) == "MLflow is not installed: pip install mlflow\n"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_PICTURE])
def test_example_goes_on_without_matplotlib_and_names_the_extra(name: str, tmp_path: Path) -> None:
    out = run(name, tmp_path, *few_steps(name), blocked=True)
    assert "no picture" in out and "chainrule[plot]" in out


def test_the_readmes_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        if "chainrule.sklearn" not in block or not WITHOUT:
            exec(block, names)
    assert names["accuracy"] > 0.9
    assert "agree" in capsys.readouterr().out


def test_one_neuron_follows_the_right_table() -> None:
    module = example("one_neuron_chain_rule")
    rows = module.descend()
    w = [0.786, 0.771, 0.757, 0.743, 0.729, 0.715, 0.701, 0.687, 0.673, 0.660]
    a = [0.769, 0.765, 0.761, 0.757, 0.753, 0.749, 0.745, 0.741, 0.737, 0.733]
    cost = [0.072, 0.070, 0.068, 0.066, 0.064, 0.062, 0.060, 0.058, 0.056, 0.054]
    for name, column in (("w", w), ("a", a), ("C", cost)):
        assert rounded([row[name] for row in rows]) == column
    # Ten steps, each a handful of roundings of numbers below 1.
    assert abs(rows[-1]["w"] - 0.659501646183345) <= 100 * np.finfo(float).eps


def test_one_neuron_by_autograd_prints_the_notebooks_lines() -> None:
    module, lines = example("one_neuron_chain_rule"), []
    w, cost = module.descend_by_autograd(show=lines.append)
    assert lines[0] == "Epoch 1 w = 0.786 , a = 0.769 loss = 0.072"
    assert lines[9] == "Epoch 10 w = 0.660 , a = 0.733 loss = 0.054"
    assert w.dtype == np.float32 and w.grad == 0 and len(cost.graph()) == 8
    w, _ = module.descend_by_autograd(module.torch.float64, show=lines.append)
    assert abs(w.item() - 0.659501646183345) <= 100 * np.finfo(float).eps


def test_one_neuron_without_the_factor_x_gives_the_wrong_table() -> None:
    rows = example("one_neuron_chain_rule").descend_without_x()
    w = [0.790, 0.780, 0.770, 0.761, 0.752, 0.743, 0.734, 0.725, 0.716, 0.707]
    a = [0.769, 0.766, 0.763, 0.760, 0.758, 0.755, 0.753, 0.750, 0.748, 0.745]
    cost = [0.072, 0.071, 0.069, 0.068, 0.067, 0.065, 0.064, 0.062, 0.062, 0.060]
    for name, column in (("w", w), ("a", a), ("C", cost)):
        assert rounded([row[name] for row in rows]) == column


def test_one_neuron_chain_rule_agrees_with_differences() -> None:
    chain, difference, report = example("one_neuron_chain_rule").derivative_three_ways()
    assert report
    # h^2 / 6 times a third derivative below 6, and rounding of a cost below 1 over h.
    assert abs(chain - difference) <= 1e-10 + 4 * np.finfo(float).eps / 1e-5


def test_neuron_by_hand_and_by_classes() -> None:
    module = example("dense_layer_by_hand")
    neuron = module.neuron_by_hand()
    assert neuron["products"] == [-3.0, 2.0, 6.0]
    assert (neuron["z"], neuron["y"]) == (6.0, 6.0)
    assert neuron["partials"] == [-3, 1, -1, -2, 2, 3, 1]
    assert module.neuron_by_classes() == [-3, 1, -1, -2, 2, 3, 1]
    assert rounded(neuron["w"], 12) == [-3.001, -0.998, 1.997]
    assert round(neuron["b"], 12) == 0.999


def test_dense_layer_gradients() -> None:
    gradients = example("dense_layer_by_hand").layer_gradients()
    row = np.array([0.44, -0.38, -0.07, 1.37])
    # Sums of up to four products of numbers below 10.
    close = {"rtol": 0, "atol": 200 * np.finfo(float).eps}
    np.testing.assert_allclose(gradients["dinputs of one"], row, **close)
    np.testing.assert_allclose(gradients["dinputs"], [row, 2 * row, 3 * row], **close)
    expected = np.repeat([[0.5], [20.1], [10.9], [4.1]], 3, axis=1)
    np.testing.assert_allclose(gradients["dweights"], expected, **close)
    np.testing.assert_array_equal(gradients["dbiases"], [[6, 6, 6]])


def test_relu_masks() -> None:
    mask, dinputs = example("dense_layer_by_hand").relu_gradient()
    np.testing.assert_array_equal(mask, [[1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 1, 0]])
    np.testing.assert_array_equal(dinputs, [[1, 2, 0, 0], [5, 0, 0, 8], [0, 10, 11, 0]])


def test_one_update_of_the_dense_layer() -> None:
    weights, biases = example("dense_layer_by_hand").one_update()
    expected = [
        [0.179515, 0.5003665, -0.262746],
        [0.742093, -0.9152577, -0.2758402],
        [-0.510153, 0.2529017, 0.1629592],
        [0.971328, -0.5021842, 0.8636583],
    ]
    # The notebook prints seven decimals or fewer: the exact values have no more.
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(biases, [[1.98489, 2.997739, 0.497389]], rtol=0, atol=1e-12)


def sine_in_numpy(steps: int, as_written: bool) -> tuple[Any, Any]:
    """The notebook's loop; with the exact gradient unless `as_written`."""
    np.random.seed(0)  # noqa: NPY002
    X = np.random.uniform(-10, 10, 25).reshape(-1, 1)  # noqa: NPY002
    np.random.seed(11)  # noqa: NPY002
    W1, W2 = np.random.randn(2, 10), np.random.randn(11, 1)  # noqa: NPY002
    ones = np.ones((25, 1))
    for _ in range(steps):
        inputs = np.hstack([ones, X])
        Z = np.tanh(inputs @ W1)
        hidden = np.hstack([ones, Z])
        G2 = (hidden @ W2 - np.sin(X)) / 25
        before = W2.copy()
        W2 -= 0.1 * hidden.T @ G2
        G1 = (G2 @ (W2 if as_written else before)[1:].T) * (1 - Z * Z)
        W1 -= 0.1 * inputs.T @ G1
    return W1, W2


def test_sine_model_follows_the_exact_gradient_for_300_steps() -> None:
    module = example("sine_analytic_and_numerical")
    model, _ = module.train_model(300, progress=False)
    for ours, theirs in zip(
        module.augmented(model.layers[::2]), sine_in_numpy(300, False), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def test_sine_by_hand_follows_the_notebook_for_300_steps() -> None:
    module = example("sine_analytic_and_numerical")
    layers, _ = module.train_by_hand(300)
    for ours, theirs in zip(module.augmented(layers), sine_in_numpy(300, True), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def test_sine_model_ends_at_the_exact_gradients_error() -> None:
    _, error = example("sine_analytic_and_numerical").train_model(progress=False)
    np.testing.assert_allclose(error, 0.0006243755610272219, rtol=1e-6)


def test_sine_by_hand_ends_at_the_notebooks_error() -> None:
    _, error = example("sine_analytic_and_numerical").train_by_hand()
    np.testing.assert_allclose(error, 0.000628148203268578, rtol=1e-6)


def test_sine_by_numerical_gradients_ends_at_the_notebooks_losses() -> None:
    module = example("sine_analytic_and_numerical")
    _, before, training, testing, _ = module.train_numerically()
    assert round(before, 3) == 5.591
    assert round(training, 3) == 0.001
    np.testing.assert_allclose(training, 0.00051155683, rtol=1e-6)
    assert round(testing, 3) == 0.327


def test_softmax_crossentropy_has_the_gradient_stated_beside_the_loss() -> None:
    ours, formula, differences = example("sine_analytic_and_numerical").crossentropy_gradient()
    # A difference of two probabilities over 4.
    np.testing.assert_allclose(ours, formula, rtol=0, atol=8 * np.finfo(float).eps)
    # h^2 / 6 times a third derivative below 1, and rounding of a loss below 4 over h.
    bound = 1e-10 / 6 + 8 * np.finfo(float).eps * 4 / 1e-5
    np.testing.assert_allclose(ours, differences, rtol=0, atol=bound)


def digits(value: Any, count: int) -> Any:
    """Values as the notebook prints them: `count` significant digits."""
    return [float(f"{float(v):.{count}g}") for v in np.ravel(value)]


def test_delta_rule_worked_example() -> None:
    got = example("delta_rule").worked_example()
    assert digits(got["hidden input"], 12) == [-0.02]
    assert digits(got["hidden"], 11) == [0.49500016666]
    assert digits(got["output"], 12) == [0.512372477963]
    assert digits(got["output delta"], 12) == [0.121832235361]
    assert digits(got["hidden delta"], 12) == [0.00304550132373]
    assert digits(got["hidden to output"], 8) == [0.030153488]
    assert digits(got["input to hidden"], 9) == [0.000152275066, 0.000456825199]


def test_delta_rule_exercise() -> None:
    got = example("delta_rule").exercise()
    assert digits(got["error"], 11) == [0.11502656915]
    assert rounded(got["hidden to output"], 8) == [0.00804047, 0.00555918]
    assert digits(got["input to hidden"], 9) == [
        1.77005547e-04, -5.11178506e-04, 3.54011093e-05, -1.02235701e-04,
        -7.08022187e-05, 2.04471402e-04,
    ]  # fmt: skip


def test_gradients_vanish_through_sigmoids_only() -> None:
    sizes = example("delta_rule").vanishing()
    sigmoid = np.array(sizes["sigmoid"])
    assert np.all(sigmoid[:-1] / sigmoid[1:] <= 0.3)
    assert sizes["sigmoid"][0] < 1e-4 * sizes["ReLU"][0]


def test_scalar_graph() -> None:
    values, derivatives = example("computational_graph").scalar_graph()
    assert values == {"x": 1, "y": 2, "z": 4, "u": 1, "v": 3, "w": 12, "r": 144}
    assert (derivatives["z"], derivatives["y"], derivatives["x"]) == (72, 96, 192)


def test_perceptron_loss_and_gradients() -> None:
    loss, gradients = example("computational_graph").loss_and_gradients()
    # A mean of 100 numbers of about 1, each after some hundred roundings.
    np.testing.assert_allclose(loss, 0.7117102313306255, rtol=1000 * np.finfo(float).eps)
    assert [g.shape for g in gradients] == [(20, 10), (30, 20), (40, 30), (1, 40)]
    norms = [np.linalg.norm(g) for g in gradients]
    assert digits(norms, 6) == [0.0364224, 0.161648, 0.301942, 0.426662]


def test_scalar_graph_by_autograd() -> None:
    lines: list[str] = []
    graph, derivatives = example("computational_graph").scalar_graph_by_autograd(lines.append)
    assert lines == ["r = 144.0", "dr/dz = 72.0", "dr/dy = 96.0", "dr/dx = 192.0"]
    assert derivatives == {"z": 72, "y": 96, "x": 192}
    assert [row.name for row in graph.rows] == ["x", "y", "z", "u", "v", "w", "r"]
    assert len(graph.svg()) < 10_000


def test_perceptron_by_hand_by_classes_and_by_autograd_has_equal_gradients() -> None:
    module = example("computational_graph")
    loss, gradients = module.loss_and_gradients()
    for other in (module.loss_and_gradients_by_hand, module.loss_and_gradients_by_autograd):
        same, found = other()
        eps = np.finfo(float).eps
        np.testing.assert_allclose(same, 0.7117102313306255, rtol=1000 * eps)
        np.testing.assert_allclose(same, loss, rtol=1000 * eps)
        for one, two in zip(gradients, found, strict=True):
            # Sums over 100 samples of numbers that add up to about the largest entry.
            np.testing.assert_allclose(one, two, rtol=0, atol=1000 * eps * np.abs(one).max())


def test_the_notebooks_class_for_torch_runs_after_a_change_of_import() -> None:
    module = example("computational_graph")
    loss, gradients = module.custom_net()
    assert [g.shape for g in gradients] == [(20, 10), (30, 20), (40, 30), (1, 40)]
    assert module.custom_net()[0] == loss  # seeded
    net = module.CustomNet_Torch(3, 2, [4])
    x, y = np.ones((5, 3), dtype=np.float32), np.zeros((5, 2), dtype=np.float32)
    _, once = net.backward(x, y)
    _, again = net.backward(x, y)
    assert all(np.array_equal(one, other) for one, other in zip(once, again, strict=True))
    net.loss_func(net.forward(x), y).backward()  # without zero_grad they add up, as in PyTorch
    np.testing.assert_array_equal(net.layers[0].weight.grad, 2 * once[0])


def test_a_layer_of_ones_own_is_checked_trained_and_loaded() -> None:
    assert example("own_layer").main() > 0.8


def test_a_layer_of_ones_own_normalises_as_numpy_does() -> None:
    layer = example("own_layer").Layer_Normalise(5)
    layer.gain[:], layer.shift[:] = 2.0, 0.5
    X = np.random.default_rng(0).standard_normal((7, 5))
    deviation = np.sqrt(X.var(axis=1, keepdims=True) + layer.epsilon)
    expected = 2.0 * (X - X.mean(axis=1, keepdims=True)) / deviation + 0.5
    np.testing.assert_allclose(layer.forward(X), expected, rtol=0, atol=1e-14)


def test_many_nets_are_as_good_as_alone_and_their_mean_is_better_than_most() -> None:
    found = example("many_nets").fitted(6, 20)
    assert found["same bits"]
    assert found["mean"] < np.median(found["errors"])


def test_much_data_learns_from_a_map_what_a_generator_gives_too() -> None:
    found = example("much_data").trained(60_000)
    assert found["same bits"]
    assert found["accuracy"][-1] > 0.8
