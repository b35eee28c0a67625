"""A computational graph, forward and backward, then the same for a whole multilayer perceptron.

    u = x^2,  v = u + y,  w = z v,  r = w^2      at x = 1, y = 2, z = 4

The scalar graph is plain Python, then autograd, which draws it too. The perceptron, 10-20-30-40-1
with sigmoids and the loss `0.5 mean (o - y)^2`, is computed by the package's classes, by hand, by
autograd from NumPy's own functions, and as the notebook's class for PyTorch, with another import.
Gradients are shown by PyTorch's convention, (out, in), which is the transpose of the classes'.

Run: python examples/computational_graph.py [--output FOLDER]
"""
# ruff: noqa: NPY002

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from chainrule import (
    Activation_Sigmoid,
    Layer_Dense,
    Loss_HalfSquaredError,
    Model,
    Variable,
    gradcheck,
)
from chainrule.autograd import torch_names as torch
from chainrule.autograd.torch_names import nn
from chainrule.demo.pictures import BLUE, GREY, RED, pyplot, save_picture

SIZES = (10, 20, 30, 40, 1)
SAMPLES = 100


def scalar_graph(x=1.0, y=2.0, z=4.0):
    """Values of all nodes, and the derivative of r by each of them.

    Backward, each node multiplies what it gets by its own local derivative.
    """
    u = x**2
    v = u + y
    w = z * v
    r = w**2
    dr_dw = 2 * w
    dr_dz, dr_dv = dr_dw * v, dr_dw * z
    dr_du, dr_dy = dr_dv, dr_dv
    dr_dx = dr_du * 2 * x
    values = {"x": x, "y": y, "z": z, "u": u, "v": v, "w": w, "r": r}
    derivatives = {"x": dr_dx, "y": dr_dy, "z": dr_dz, "u": dr_du, "v": dr_dv, "w": dr_dw, "r": 1.0}
    return values, derivatives


def scalar_graph_by_autograd(show=print):
    """The notebook's cell as it is written there; only the import is another.

    Returns r with its graph, and the derivatives of it.
    """
    x = torch.tensor(1.0, requires_grad=True)
    y = torch.tensor(2.0, requires_grad=True)
    z = torch.tensor(4.0, requires_grad=True)

    # forward pass
    u = x**2
    v = u + y
    w = z * v
    r = w**2
    show(f"r = {r}")

    # backward pass
    r.backward()

    show(f"dr/dz = {z.grad}")
    show(f"dr/dy = {y.grad}")
    show(f"dr/dx = {x.grad}")
    return r.graph(locals()), {"x": x.grad, "y": y.grad, "z": z.grad}


def perceptron():
    """The model with data: weights (out, in) and biases drawn layer by layer, then x, then y."""
    np.random.seed(0)
    model = Model()
    for n_inputs, n_neurons in pairwise(SIZES):
        layer = Layer_Dense(n_inputs, n_neurons, weight_scale=0.0, rng=0)
        layer.weights = np.random.normal(size=(n_neurons, n_inputs)).T
        layer.biases = np.random.normal(size=(1, n_neurons))
        model.add(layer)
        model.add(Activation_Sigmoid())
    model.set(loss=Loss_HalfSquaredError())
    model.finalize()
    return model, np.random.randn(SAMPLES, SIZES[0]), np.random.randn(SAMPLES, SIZES[-1])


def loss_and_gradients():
    """Loss, and each layer's weight gradient as (out, in)."""
    model, x, y = perceptron()
    output = model.forward(x, training=True)
    loss = float(model.loss.calculate(output, y))
    model.backward(output, y)
    return loss, [layer.dweights.T for layer in model.layers[::2]]


def loss_and_gradients_by_hand():
    """The same in NumPy, with the loop over the layers that the notebook leaves empty."""
    model, x, y = perceptron()
    weights = [layer.weights.T for layer in model.layers[::2]]
    biases = [layer.biases[0] for layer in model.layers[::2]]
    activations = [x]
    for b, w in zip(biases, weights, strict=True):
        z = np.dot(activations[-1], w.T) + b
        activations.append(1.0 / (1.0 + np.exp(-z)))
    loss = 0.5 * np.mean((activations[-1] - y) ** 2)
    gradients = []
    d_activation = (activations[-1] - y) / len(y)
    for l in range(1, len(weights) + 1):  # noqa: E741  # from the last layer on, as there
        delta = d_activation * activations[-l] * (1 - activations[-l])
        gradients.insert(0, np.dot(delta.T, activations[-l - 1]))
        d_activation = np.dot(delta, weights[-l])
    return float(loss), gradients


def loss_and_gradients_by_autograd():
    """The same from NumPy's functions: `np.dot(activation, w.T) + b` as in the notebook's class."""
    model, x, y = perceptron()
    weights = [Variable(layer.weights.T, f"w{k}") for k, layer in enumerate(model.layers[::2], 1)]
    biases = [Variable(layer.biases[0], f"b{k}") for k, layer in enumerate(model.layers[::2], 1)]
    activation = x
    for b, w in zip(biases, weights, strict=True):
        z = np.dot(activation, w.T) + b
        activation = 1.0 / (1.0 + np.exp(-z))
    loss = 0.5 * np.mean((activation - y) ** 2)
    loss.backward()
    return loss.item(), [w.grad for w in weights]


class CustomNet_Torch(nn.Module):
    """The notebook's class as it is written there."""

    def __init__(self, input_size, output_size, hidden_sizes):
        super().__init__()

        self.input_size = input_size
        self.output_size = output_size
        self.hidden_sizes = hidden_sizes
        self.layers = []

        sizes = [input_size, *hidden_sizes, output_size]
        for i in range(len(sizes) - 1):
            layer = nn.Linear(sizes[i], sizes[i + 1])
            nn.init.xavier_uniform_(layer.weight)
            self.layers.append(layer)

    def forward(self, x):
        out = x
        for layer in self.layers:
            out = torch.sigmoid(layer(out))
        return out

    def backward(self, x, y):
        x = torch.Variable(torch.Tensor(x))
        y = torch.Variable(torch.Tensor(y))

        # feedforward
        out = self.forward(x)

        # calculate loss
        loss = self.loss_func(out, y)

        # backpropagation
        self.zero_grad()
        loss.backward()

        # Compute the gradient for each weight and bias
        gradients = []
        for i in range(len(self.layers)):
            gradients.append(self.layers[i].weight.grad)

        return loss.item(), gradients

    def loss_func(self, output_activations, y):
        return 0.5 * torch.mean((output_activations - y) ** 2)


def custom_net():
    """The notebook's test of its class. Its numbers come from NumPy here, so others than there."""
    torch.manual_seed(42)
    net = CustomNet_Torch(input_size=10, output_size=1, hidden_sizes=[20, 30, 40])

    # input data
    x = torch.randn(100, 10)
    y = torch.randn(100, 1)

    # feedforward and backpropagation
    return net.backward(x, y)


def print_tables():
    values, derivatives = scalar_graph()
    print("node     value    dr/d(node)")
    for name in "xyzuvwr":
        print(f"{name:<4}{values[name]:10.1f}{derivatives[name]:14.1f}")
    print()
    print(f"r = {values['r']}")
    for name in "zyx":
        print(f"dr/d{name} = {derivatives[name]}")

    print("\nThe same by autograd:")
    scalar_graph_by_autograd()

    loss, gradients = loss_and_gradients()
    print(f"\nMultilayer perceptron {'-'.join(map(str, SIZES))}, {SAMPLES} samples\n")
    print(f"Loss: {loss!r}")
    for k, gradient in enumerate(gradients, 1):
        norm = np.linalg.norm(gradient)
        print(f"Gradient of layer {k}: {gradient.shape!s:<9} L2 norm {norm:.6g}")
    for way, function in (
        ("hand", loss_and_gradients_by_hand),
        ("autograd", loss_and_gradients_by_autograd),
    ):
        loss, found = function()
        apart = max(np.abs(a - b).max() for a, b in zip(gradients, found, strict=True))
        print(f"By {way}: loss {loss!r}, gradients that differ by {apart:.0e} at most")
    loss, gradients = custom_net()
    print(f"\nThe notebook's class with numbers of its own: loss {loss:.6f}, gradients of shapes")
    print(*(gradient.shape for gradient in gradients))
    print("\nThe notebook's own backward() is unfinished: its loop over the layers is empty, and")
    print("its last gradient averages over the samples too early and leaves out the sigmoid.\n")
    model, x, y = perceptron()
    print(gradcheck(model, x, y))
    print("\nTraining repeats: forward propagation, loss, zeroing gradients (here backward sets")
    print("them afresh: nothing to zero), backward propagation, reading each layer's gradient.")


def draw(path):
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(10.5, 4.6), layout="constrained")
    axes.set(xlim=(-0.7, 8.9), ylim=(-2.75, 1.05))
    axes.set_title("The graph of r = (z (x² + y))²: values in blue, derivatives of r in red")
    axes.axis("off")
    places = {"x": (0, 0), "y": (2, -1.35), "z": (4, -1.35), "u": (2, 0), "v": (4, 0),
              "w": (6, 0), "r": (8, 0)}  # fmt: skip
    texts = {"u": "u = x²", "v": "v = u + y", "w": "w = z v", "r": "r = w²"}
    values, derivatives = scalar_graph()
    boxes = {}
    for name, (x, y) in places.items():
        boxes[name] = axes.text(
            x, y, texts.get(name, name), ha="center", va="center", fontsize=13,
            bbox={"boxstyle": "round,pad=0.5", "fc": "white", "ec": GREY, "lw": 1.3},
        )  # fmt: skip
        below = -0.47 if y else 0.63
        axes.text(x, y + below, f"{values[name]:g}", ha="center", va="center", color=BLUE,
                  fontsize=13)  # fmt: skip
        text = f"dr/d{name} = {derivatives[name]:g}"
        axes.text(x, y + below + (-0.3 if y else -0.25), text, ha="center", va="center",
                  color=RED, fontsize=11)  # fmt: skip
    for start, end, local in (
        ("x", "u", "2x"), ("u", "v", "1"), ("y", "v", "1"), ("v", "w", "z"), ("z", "w", "v"),
        ("w", "r", "2w"),
    ):  # fmt: skip
        edge(axes, boxes[start], boxes[end], f"·{local}")
    axes.text(4, -2.6, "On each edge: the local derivative by which the red number is multiplied "
              "on its way back.", ha="center", color="#5b616b")  # fmt: skip
    return save_picture(figure, path)


def edge(axes, start, end, local):
    """An arrow from box to box with the local derivative on it."""
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    axes.annotate(
        "", (x1, y1), (x0, y0),
        arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.6, "shrinkA": 4, "shrinkB": 4,
                    "patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()},
    )  # fmt: skip
    axes.text(
        (x0 + x1) / 2, (y0 + y1) / 2 - 0.02, local, ha="center", va="center", color=RED,
        fontsize=10, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"},
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the picture")
    output = parser.parse_args().output
    print_tables()
    output.mkdir(parents=True, exist_ok=True)
    graph, _ = scalar_graph_by_autograd(show=lambda line: None)
    graph.save(output / "computational_graph.svg")
    try:
        print(f"\npicture: {draw(output / 'computational_graph.png')}")
    except ImportError as error:
        print(f"\nno picture: {error}")


if __name__ == "__main__":
    main()
