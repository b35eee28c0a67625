"""PyTorch's nets and state dicts: the same outputs, and the same step of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import one_step
from chainrule.interop import from_torch, load_state_dict, save_state_dict, to_torch
from exchange import ACTIVATIONS, net_for_tables, net_with, samples
from part_cases import name_of
from tolerance import gamma

torch = pytest.importorskip("torch")
nn = torch.nn
Array = np.ndarray[Any, Any]


def assert_same_outputs(ours: Array, theirs: Array) -> None:
    """To the rounding of sums of at most 8 terms and of elementary functions, twice."""
    bound = 2 * gamma(64, ours.dtype) * (1 + np.abs(theirs).max())
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


def outputs_of(module: Any, X: Array) -> Array:
    with torch.no_grad():
        found: Array = module.eval()(torch.from_numpy(X)).numpy()
    return found


@pytest.mark.parametrize("make", ACTIVATIONS, ids=name_of)
def test_every_activation_goes_to_pytorch_and_comes_back(make: Any, dtype: Any) -> None:
    model, X = net_with(make(), dtype), samples(50, 5, dtype)
    module = to_torch(model)
    assert len(module) == 3 and tuple(module[0].weight.shape) == (7, 5)
    assert_same_outputs(model.predict(X), outputs_of(module, X))
    back = from_torch(module)
    assert back.fingerprint() == model.fingerprint()


def test_what_stands_between_layers_goes_over() -> None:
    model = cr.Model()
    for layer in (
        cr.Layer_Input(),
        cr.Layer_Scale(5, dtype="float64"),
        cr.Layer_Dense(5, 4, bias=False, rng=0),
        cr.Activation_Linear(),
        cr.Layer_Dropout(0.25, rng=0),
        cr.Layer_Dense(4, 2, rng=1),
    ):
        model.add(layer)
    model.layers[1].weights = np.arange(1.0, 6.0)[None]
    model.layers[2].trainable = False
    model.finalize()
    module = to_torch(model)
    kinds = ["Scale", "Linear", "Identity", "Dropout", "Linear"]
    assert [type(part).__name__ for part in module] == kinds
    assert module[1].bias is None and not module[1].weight.requires_grad
    assert module[4].weight.requires_grad and module[3].p == 0.25
    X = samples(9, 5, np.float64)
    assert_same_outputs(model.predict(X), outputs_of(module, X))
    back = from_torch(module)
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers[1:]]
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    assert not back.layers[1].trainable and back.layers[3].rate == 0.75


def test_layers_of_tables_go_over_and_come_back(tmp_path: Path, dtype: Any) -> None:
    model, X = net_for_tables(dtype)
    module = to_torch(model)
    ours = [type(layer).__name__.partition("_")[2] for layer in model.layers]
    names = {"Embedding": "CodeTables", "Dense": "Linear"}
    assert [type(part).__name__ for part in module] == [names.get(each, each) for each in ours]
    assert_same_outputs(model.predict(X), outputs_of(module, X))
    assert from_torch(module).fingerprint() == model.fingerprint()
    save_state_dict(model, tmp_path / "net")
    other, _ = net_for_tables(dtype)
    for layer in other.layers:
        layer.set_parameters(*(0.5 * each for each in layer.get_parameters()))
    load_state_dict(other, tmp_path / "net")
    assert other.fingerprint() == model.fingerprint()
    load = pytest.importorskip("safetensors.torch").load_file
    module.load_state_dict(load(tmp_path / "net"))


def test_autograd_has_the_gradients_of_layers_of_tables() -> None:
    """In float64, within the rounding of sums of as many terms as there are samples and columns."""
    model, X = net_for_tables(np.float64)
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.1))
    y = samples(len(X), model.layers[-1].weights.shape[1], np.float64)
    module = to_torch(model)
    nn.MSELoss()(module(torch.from_numpy(X)), torch.from_numpy(y)).backward()
    _, flat = model.gradients(X, y)
    start = 0
    for layer, part in zip(model.layers, module, strict=True):
        order = ("frequencies", "phases", "weight", "bias")
        theirs = [getattr(part, name).grad for name in order if hasattr(part, name)]
        for name, gradient in zip(layer.parameter_names, theirs, strict=True):
            array = getattr(layer, name)
            found = flat[start : start + array.size].reshape(array.shape)
            start += array.size
            expected = gradient.numpy().T if isinstance(part, nn.Linear) else gradient.numpy()
            near = gamma(4 * len(X) * X.shape[1], np.float64) * np.abs(expected).max()
            np.testing.assert_allclose(found, expected.reshape(found.shape), 0, near, err_msg=name)
    assert start == flat.size


def test_conversions_copy_and_draw_nothing() -> None:
    model = net_with(cr.Activation_ReLU(), np.float32)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    module = to_torch(model)
    assert torch.equal(torch.get_rng_state(), before)
    kept = model.layers[0].weights.copy()
    with torch.no_grad():
        module[0].weight.zero_()
    np.testing.assert_array_equal(model.layers[0].weights, kept)
    back = from_torch(module)
    back.layers[2].weights += 1
    np.testing.assert_array_equal(module[2].weight.detach().numpy().T, model.layers[2].weights)


def test_nested_modules_and_pytorchs_own_settings() -> None:
    module = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(6, 5), nn.LeakyReLU(0.2), nn.Dropout()),
        nn.Sequential(nn.Linear(5, 4), nn.Softplus(), nn.Softmax(-1)),
    )
    X = samples(20, 6, np.float32)
    assert_same_outputs(from_torch(module).predict(X), outputs_of(module, X))
    assert from_torch(nn.Linear(3, 2)).layers[0].weights.shape == (3, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("end", ["linear", "softmax"])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "adam"])
def test_one_step_leaves_the_same_parameters(rule: str, end: str, dtype: Any) -> None:
    found = one_step.case(rule, end, dtype)
    module = to_torch(found.model)
    optimizer = torch_optimizer(found.model, module, rule)
    X, y = torch.from_numpy(found.X), torch.from_numpy(found.y)
    loss = nn.MSELoss() if end == "linear" else nn.CrossEntropyLoss()
    loss(module[:3](X), y).backward()  # PyTorch's cross-entropy takes logits: without softmax
    optimizer.step()
    expected = one_step.after_one_step(found)
    for linear, (weights, biases) in zip((module[0], module[2]), expected, strict=True):
        for tensor, (value, bound) in ((linear.weight, weights), (linear.bias, biases)):
            theirs = tensor.detach().numpy().T.reshape(value.shape)
            assert (np.abs(theirs - value) <= bound).all()
            assert np.median(bound) < 1e-2 * np.abs(value).max()


def test_the_bounds_tell_the_two_epsilons_apart() -> None:
    """Keras and the paper's second form add it before the correction, PyTorch after it."""
    one, other = (
        one_step.after_one_step(one_step.case(rule, "linear", np.float64))
        for rule in ("adam", "adam_hat")
    )
    for mine, theirs in zip(one, other, strict=True):
        for (value, bound), (far, _) in zip(mine, theirs, strict=True):
            assert (np.abs(value - far) > bound).mean() > 0.9


def test_pytorchs_weight_decay_is_twice_the_l2_strength() -> None:
    found = one_step.case("sgd", "linear", np.float64)
    module = to_torch(found.model)
    moved = [layer.weights.copy() for layer in found.model.layers[::2]]
    for layer in found.model.layers[::2]:
        layer.weight_regularizer_l2 = layer.bias_regularizer_l2 = 0.25
    nn.MSELoss()(module(torch.from_numpy(found.X)), torch.from_numpy(found.y)).backward()
    torch.optim.SGD(module.parameters(), one_step.RATE, weight_decay=0.5).step()
    for linear, (weights, _), before in zip(
        (module[0], module[2]), one_step.after_one_step(found), moved, strict=True
    ):
        value, bound = weights
        assert (np.abs(linear.weight.detach().numpy().T - value) <= bound).all()
        assert (np.abs(before - value) > 100 * bound).all()


def torch_optimizer(model: Any, module: Any, rule: str) -> Any:
    """PyTorch's optimizer where ours stands: its velocity is ours over minus the rate."""
    parameters = list(module.parameters())
    if rule == "adam":
        optimizer = torch.optim.Adam(
            parameters, one_step.RATE, betas=one_step.BETAS, eps=one_step.EPSILON
        )
    else:
        momentum = 0 if rule == "sgd" else one_step.MOMENTUM
        optimizer = torch.optim.SGD(
            parameters, one_step.RATE, momentum=momentum, nesterov=rule == "nesterov"
        )
    slots = [(layer, slot) for layer in model.layers[:3:2] for slot in ("weight", "bias")]
    for parameter, (layer, slot) in zip(parameters, slots, strict=True):
        held = {
            kind: torch.from_numpy(getattr(layer, f"{slot}_{kind}").T.reshape(parameter.shape))
            for kind in model.optimizer.states
        }
        if rule == "adam":
            optimizer.state[parameter] = {
                "step": torch.tensor(float(one_step.STEPS_BEFORE)),
                "exp_avg": held["momentums"].clone().contiguous(),
                "exp_avg_sq": held["cache"].clone().contiguous(),
            }
        elif rule != "sgd":
            velocity = held["momentums"] / -one_step.RATE
            optimizer.state[parameter] = {"momentum_buffer": velocity.contiguous()}
    return optimizer


# --- state dicts ----------------------------------------------------------------------------------


def test_state_dicts_go_both_ways(tmp_path: Path, dtype: Any) -> None:
    from safetensors.torch import load_file, save_file

    model = net_with(cr.Activation_GELU(), dtype)
    path = tmp_path / "net.safetensors"
    save_state_dict(model, path)
    state = load_file(path)
    assert sorted(state) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    module = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3)).to(state["0.bias"].dtype)
    module.load_state_dict(state, strict=True)
    X = samples(20, 5, dtype)
    assert_same_outputs(model.predict(X), outputs_of(module, X))

    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(-1.5)
    save_file(module.state_dict(), path)
    held = model.layers[0].weights
    load_state_dict(model, path)
    assert model.layers[0].weights is held
    assert_same_outputs(model.predict(X), outputs_of(module, X))


def test_state_dicts_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model = net_with(cr.Activation_ReLU(), np.float32)
    before, path = model.fingerprint(), tmp_path / "net.safetensors"
    good = to_torch(model).state_dict()
    bad = {
        "check 0.bias": {name: each for name, each in good.items() if name != "0.bias"},
        "check 9.x": {**good, "9.x": torch.zeros(1)},
        r"2.bias: expected \(3,\) of float32 or float64, got \(4,\)": {
            **good, "2.bias": torch.zeros(4),
        },
        "got .* of int32": {**good, "2.bias": torch.zeros(3, dtype=torch.int32)},
        "expected float32 or float64": {**good, "2.bias": torch.zeros(3, dtype=torch.bfloat16)},
    }  # fmt: skip
    for match, state in bad.items():
        save_file(state, path)
        with pytest.raises(cr.ModelFileError, match=match):
            load_state_dict(model, path)
    path.write_bytes(b"no such file")
    with pytest.raises(cr.ModelFileError, match="expected float32 or float64 tensors"):
        load_state_dict(model, path)
    assert model.fingerprint() == before


# --- what has no like -----------------------------------------------------------------------------


class Own(nn.Module):  # type: ignore[misc,name-defined]
    """Somebody's module."""

    def forward(self, x: Any) -> Any:
        return x


SHARED = nn.Linear(3, 3)
HALF_FROZEN = nn.Linear(2, 2)
HALF_FROZEN.bias.requires_grad_(False)


@pytest.mark.parametrize(
    ("module", "kind", "match"),
    [
        (Own(), TypeError, "from_torch: module: Own: expected a Sequential"),
        (nn.Sequential(nn.Linear(2, 2), nn.Conv1d(1, 1, 1)), TypeError, "from_torch: 1: Conv1d"),
        (nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(1)), TypeError, "instead of a logarithm"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten()), TypeError, "1: Flatten"),
        (nn.Softmax(dim=0), ValueError, "dim=1 or -1, got 0"),
        (nn.Softplus(beta=2), ValueError, "beta=1"),
        (nn.Linear(2, 2).half(), ValueError, "expected float32 or float64, got float16"),
        (nn.Sequential(SHARED, nn.Sequential(SHARED)), ValueError, "1.0: Linear: expected a mod"),
        (HALF_FROZEN, ValueError, "requires_grad of all its parameters or of none"),
        (nn.Sequential(), ValueError, "at least one layer"),
    ],
)
def test_modules_without_a_like_are_named(module: Any, kind: Any, match: str) -> None:
    with pytest.raises(kind, match=match):
        from_torch(module)
