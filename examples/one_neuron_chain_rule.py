"""One neuron learns by the chain rule: forward, backward, ten steps of gradient descent.

    i = x w        a = sigmoid(i)        C = (a - t)^2
    dC/dw = dC/da * da/di * di/dw = 2 (a - t) * a (1 - a) * x

with x = 1.5, t = 0.5, w = 0.8 and learning rate 0.1. Prints the table of the ten steps, shows
what goes wrong when the last factor, x, is forgotten, lets autograd do the same (the notebook's
second half, with another import), and draws the computation both ways.

Run: python examples/one_neuron_chain_rule.py [--output FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from chainrule import (
    Activation_Sigmoid,
    Layer_Dense,
    Loss_MeanSquaredError,
    gradcheck,
    numerical_gradient,
)
from chainrule.autograd import torch_names as torch
from chainrule.demo.pictures import BLUE, GREY, RED, pyplot, save_picture

X, TARGET, WEIGHT, RATE, STEPS = 1.5, 0.5, 0.8, 0.1, 10


def neuron(weight=WEIGHT):
    """One weight, no bias: a dense layer of one neuron whose bias stays 0."""
    layer = Layer_Dense(1, 1)
    layer.weights = [[weight]]
    return layer


def forward_and_backward(layer):
    """All values and derivatives of one pass; `dw` is the product of the three factors."""
    sigmoid, cost = Activation_Sigmoid(), Loss_MeanSquaredError()
    x, t = np.array([[X]]), np.array([[TARGET]])
    i = layer.forward(x)
    a = sigmoid.forward(i)
    dc_da = cost.backward(a, t)
    dc_di = sigmoid.backward(dc_da)
    layer.backward(dc_di)
    return {
        "w": layer.weights.item(),
        "i": i.item(),
        "a": a.item(),
        "C": float(cost.calculate(a, t)),
        "dC/da": dc_da.item(),
        "da/di": dc_di.item() / dc_da.item(),
        "di/dw": X,
        "dC/di": dc_di.item(),
        "dC/dw": layer.dweights.item(),
    }


def descend():
    """The ten steps. Each row holds a and C before the step and w after it."""
    layer, rows = neuron(), []
    for _ in range(STEPS):
        row = forward_and_backward(layer)
        layer.weights -= RATE * layer.dweights
        rows.append({**row, "w": layer.weights.item()})
    return rows


def descend_without_x():
    """The notebook's first table: di/dw = x is left out, every number rounded to 3 decimals."""
    layer, rows = neuron(), []
    for _ in range(STEPS):
        a = round(forward_and_backward(layer)["a"], 3)
        i = X * layer.weights.item()
        slope = round(2 * (a - TARGET), 3) * round(float(np.exp(-i) / (1 + np.exp(-i)) ** 2), 3)
        layer.weights = [[round(layer.weights.item() - RATE * slope, 3)]]
        rows.append({"w": layer.weights.item(), "a": a, "C": round((a - TARGET) ** 2, 3)})
    return rows


def descend_by_autograd(dtype=torch.float32, show=print):
    """The notebook's second half as it is written there; only the import is another.

    Returns the tensor w after the ten steps, and C of the last one.
    """
    # Input
    x = torch.tensor([1.5], dtype=dtype)
    # Target
    t = torch.tensor([0.5], dtype=dtype)
    # Learning rate
    r = torch.tensor([0.1], dtype=dtype)
    # Weights
    w = torch.tensor([0.8], requires_grad=True, dtype=dtype)

    for epoch in range(10):
        # forward
        i = x * w

        # with sigmoid
        a = 1 / (1 + torch.exp(-i))

        # Cost function
        C = torch.float_power((a - t), 2)
        # Gradient
        C.backward()

        with torch.no_grad():
            w -= r * w.grad

        if epoch % 1 == 0:
            show(
                f"Epoch {epoch + 1} w = {w[0].item():.3f} , a = {a[0].item():.3f} "
                f"loss = {C[0].item():.3f}"
            )

        w.grad.zero_()
    return w, C


def derivative_three_ways():
    """dC/dw at the start: by the chain rule, by differences, and the verdict of gradcheck."""
    layer = neuron()
    row = forward_and_backward(layer)

    def cost_at(weights):
        a = Activation_Sigmoid().forward(X * weights)
        return float(((a - TARGET) ** 2).sum())

    return row["dC/dw"], numerical_gradient(cost_at, layer.weights).item(), gradcheck(layer, [[X]])


def print_tables():
    columns = ("w", "a", "C", "dC/da", "da/di", "di/dw", "dC/dw")
    print("step" + "".join(f"{name:>9}" for name in columns))
    print("-" * (4 + 9 * len(columns)))
    rows = descend()
    for step, row in enumerate(rows, 1):
        print(f"{step:4d}" + "".join(f"{row[name]:9.3f}" for name in columns))
    print(f"\nlast w: {rows[-1]['w']!r}")

    print("\nThe notebook's first table leaves out di/dw = x = 1.5 and rounds every number to")
    print("three decimals. Its weight therefore moves too slowly:\n")
    print("step   w, wrong   w, right")
    for step, (wrong, right) in enumerate(zip(descend_without_x(), rows, strict=True), 1):
        print(f"{step:4d}{wrong['w']:11.3f}{right['w']:11.3f}")

    print("\nThe same by autograd, in float32 as the notebook has it:\n")
    descend_by_autograd()
    w, _ = descend_by_autograd(torch.float64, show=lambda line: None)
    print(f"last w in float64: {w.item()!r}")

    chain, difference, report = derivative_three_ways()
    print(f"\ndC/dw at w = 0.8: chain rule {chain:.12f}, differences {difference:.12f}\n")
    print(report)


def draw(path):
    plt = pyplot()
    figure, (graph, descent) = plt.subplots(
        2, 1, figsize=(10.5, 7.2), height_ratios=[1.15, 1], layout="constrained"
    )
    draw_graph(graph, forward_and_backward(neuron()))
    rows = descend()
    w = np.linspace(-1.2, 1.2, 200)
    descent.plot(w, (Activation_Sigmoid().forward(X * w) - TARGET) ** 2, color=GREY)
    places = [WEIGHT] + [row["w"] for row in rows]
    costs = [(float(Activation_Sigmoid().forward(np.array([X * p]))[0]) - TARGET) ** 2
             for p in places]  # fmt: skip
    descent.plot(places, costs, "o-", color=BLUE, markersize=5)
    descent.annotate("start: w = 0.8", (places[0], costs[0]), (0.55, 0.079), color=BLUE)
    descent.annotate(f"after 10 steps: w = {places[-1]:.3f}", (places[-1], costs[-1]),
                     (0.72, costs[-1] - 0.006), color=BLUE)  # fmt: skip
    descent.set(xlabel="w", title="Ten steps down the cost C(w)")
    return save_picture(figure, path)


def draw_graph(axes, row):
    """Values above, from left to right; derivatives below, from right to left."""
    axes.set(xlim=(-0.75, 8.4), ylim=(-1.7, 1.3))
    axes.set_title("Forward (blue): the values.   Backward (red): the chain rule")
    axes.axis("off")
    nodes = {
        "x": (0, 0.85, f"x = {X}"),
        "w": (0, -0.85, f"w = {row['w']}"),
        "i": (2.5, 0, "i = x w"),
        "a": (5, 0, "a = σ(i)"),
        "C": (7.7, 0, "C = (a − t)²"),
    }
    boxes = {
        name: axes.text(x, y, text, ha="center", va="center", fontsize=12,
                        bbox={"boxstyle": "round,pad=0.5", "fc": "white", "ec": GREY, "lw": 1.3})
        for name, (x, y, text) in nodes.items()
    }  # fmt: skip
    for start, end in (("x", "i"), ("w", "i"), ("i", "a"), ("a", "C")):
        arrow(axes, boxes[start], boxes[end], BLUE, 0.09)
    for start, end in (("C", "a"), ("a", "i"), ("i", "w")):
        arrow(axes, boxes[start], boxes[end], RED, 0.09)
    for x, name in ((2.5, "i"), (5, "a"), (7.7, "C")):
        axes.text(x, 0.5, f"{row[name]:.3f}", ha="center", color=BLUE, fontsize=12)
    for x, name, factors in (
        (6.3, "dC/da", "2 (a − t)"),
        (3.75, "da/di", "a (1 − a)"),
    ):
        axes.text(x, -0.66, f"{name} = {factors}\n= {row[name]:.3f}", ha="center", va="center",
                  color=RED, fontsize=10.5)  # fmt: skip
    axes.text(1.62, -0.98, f"di/dw = x\n= {X}", ha="center", va="center", color=RED, fontsize=10.5)
    axes.text(4.1, -1.5, f"dC/dw = {row['dC/da']:.3f} · {row['da/di']:.3f} · {X} "
              f"= {row['dC/dw']:.3f}", ha="center", color=RED, fontsize=13)  # fmt: skip


def arrow(axes, start, end, color, shift):
    """An arrow between two boxes, `shift` to the left of the straight line."""
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    length = np.hypot(x1 - x0, y1 - y0)
    dx, dy = -(y1 - y0) / length * shift, (x1 - x0) / length * shift
    axes.annotate(
        "", (x1 + dx, y1 + dy), (x0 + dx, y0 + dy),
        arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.8, "shrinkA": 4, "shrinkB": 4,
                    "patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()},
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the picture")
    output = parser.parse_args().output
    print_tables()
    try:
        print(f"\npicture: {draw(output / 'one_neuron_chain_rule.png')}")
    except ImportError as error:
        print(f"\nno picture: {error}")


if __name__ == "__main__":
    main()
