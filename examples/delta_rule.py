"""The delta rule by hand and by layers, and how gradients vanish through sigmoids.

    output delta  = (target - output) * output (1 - output)
    hidden delta  = weight * output delta * hidden (1 - hidden)
    step          = rate * delta * the input of the weight

This is gradient descent on `(target - output)^2 / 2`: each step is minus the rate times the
gradient. A sigmoid's derivative is at most 1/4, so from layer to layer the error shrinks.

Run: python examples/delta_rule.py [--output FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from chainrule import (
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Tanh,
    Layer_Dense,
    Loss_HalfSquaredError,
    Model,
    gradcheck,
)
from chainrule.demo.pictures import BLUE, ORANGE, RED, pyplot, save_picture

RATE = 0.5
DEPTH, WIDTH = 10, 32


def two_layers(input_hidden, hidden_output):
    """A model of two sigmoid layers; their biases are 0 and stay 0."""
    model = Model()
    for weights in (np.array(input_hidden), np.array(hidden_output)):
        layer = Layer_Dense(*weights.shape)
        layer.weights = weights
        model.add(layer)
        model.add(Activation_Sigmoid())
    model.set(loss=Loss_HalfSquaredError())
    model.finalize()
    return model


def delta_steps(model, x, target):
    """Every number of one backpropagation step; steps are -rate * gradient."""
    x, target = np.array([x]), np.array([[target]])
    output = model.forward(x, training=True)
    model.backward(output, target)
    first, hidden, second, last = model.layers
    return {
        "hidden input": first.output[0],
        "hidden": hidden.output[0],
        "output": output.item(),
        "error": (target - output).item(),
        "output delta": -last.dinputs.item(),
        "hidden delta": -hidden.dinputs[0],
        "hidden to output": -RATE * second.dweights[:, 0],
        "input to hidden": -RATE * first.dweights,
    }


def worked_example():
    """Two inputs, one hidden unit, one output, target 1."""
    return delta_steps(two_layers([[0.4], [-0.2]], [[0.1]]), [0.1, 0.3], 1.0)


def exercise_model():
    return two_layers([[0.5, -0.6], [0.1, -0.2], [0.1, 0.7]], [[0.1], [-0.3]])


def exercise():
    """Three inputs, two hidden units, one output, target 0.6."""
    return delta_steps(exercise_model(), [0.5, 0.1, -0.2], 0.6)


def gradient_sizes(activation, scale):
    """Root mean square of dC/dz in each of ten layers, from the first to the last."""
    rng = np.random.default_rng(0)
    layers = []
    for _ in range(DEPTH):
        layer = Layer_Dense(WIDTH, WIDTH, weight_scale=scale / np.sqrt(WIDTH), rng=rng)
        layers += [layer, activation()]
    values = rng.standard_normal((200, WIDTH))
    for layer in layers:
        values = layer.forward(values)
    dvalues = rng.standard_normal(values.shape)
    sizes = []
    for layer in reversed(layers):
        dvalues = layer.backward(dvalues)
        if not isinstance(layer, Layer_Dense):
            sizes.append(float(np.sqrt(np.mean(dvalues**2))))
    return sizes[::-1]


def vanishing():
    """Sizes for three activations, weights drawn to keep the forward values' size."""
    return {
        "sigmoid": gradient_sizes(Activation_Sigmoid, 1.0),
        "tanh": gradient_sizes(Activation_Tanh, 1.0),
        "ReLU": gradient_sizes(Activation_ReLU, np.sqrt(2.0)),
    }


def print_worked_example():
    got = worked_example()
    print("Worked example: x = [0.1, 0.3], target 1")
    for name in ("hidden input", "hidden", "output", "output delta", "hidden delta"):
        print(f"  {name:<18}{np.asarray(got[name]).item():.12g}")
    print(f"  {'hidden to output':<18}{got['hidden to output'].item():.9g}")
    steps = [f"{step:.9g}" for step in got["input to hidden"][:, 0]]
    print(f"  {'input to hidden':<18}{' '.join(steps)}")
    print("  The notebook multiplies its last three steps by the output 0.512 instead of the")
    print("  rate 0.5: its 0.0308996, 0.000156043, 0.000468129 are wrong.")


def print_exercise():
    got = exercise()
    print("\nExercise: x = [0.5, 0.1, -0.2], target 0.6")
    print(f"error\n{got['error']:.11f}")
    print(f"hidden to output\n{got['hidden to output']}")
    print(f"input to hidden\n{got['input to hidden']}")
    print("The notebook's first attempt (error 0.00641673759167) squares the error, multiplies by")
    print("(target - output) where the derivative needs (1 - output), and takes the output for the")
    print("rate; its second attempt is right.\n")
    print(gradcheck(exercise_model(), [[0.5, 0.1, -0.2]], [[0.6]]))


def print_vanishing(sizes):
    print(f"\nVanishing gradients: {DEPTH} layers of {WIDTH}; size of the gradient of each layer's")
    print("sums (root mean square), and its ratio to that of the layer after it\n")
    print("layer" + "".join(f"{name:>11}{'ratio':>8}" for name in sizes))
    for k in range(DEPTH - 1, -1, -1):
        line = f"{k + 1:5d}"
        for values in sizes.values():
            ratio = f"{values[k] / values[k + 1]:8.2f}" if k + 1 < DEPTH else " " * 8
            line += f"{values[k]:11.2e}{ratio}"
        print(line)
    print("\nA sigmoid passes on at most a quarter, so the first layers hardly learn.")


def draw(sizes, path):
    plt = pyplot()
    figure, (curve, axes) = plt.subplots(
        1, 2, figsize=(11, 4.4), width_ratios=[1, 1.5], layout="constrained"
    )
    z = np.linspace(-6, 6, 300)
    for name, activation, color in (
        ("sigmoid", Activation_Sigmoid, RED), ("tanh", Activation_Tanh, BLUE),
        ("ReLU", Activation_ReLU, ORANGE),
    ):  # fmt: skip
        unit = activation()
        unit.forward(z)
        curve.plot(z, unit.backward(np.ones_like(z)), color=color, label=name)
        axes.semilogy(range(1, DEPTH + 1), sizes[name], "o-", color=color, label=name)
    curve.set(xlabel="z", title="Derivatives: a sigmoid's is at most 1/4", ylim=(-0.05, 1.25))
    curve.axhline(0.25, color=RED, linewidth=0.8, linestyle=":")
    axes.set(xlabel="layer (1 is nearest the input)", xticks=range(1, DEPTH + 1),
             title="Size of the gradient in each layer")  # fmt: skip
    axes.legend(loc="lower right")
    return save_picture(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the picture")
    output = parser.parse_args().output
    print_worked_example()
    print_exercise()
    sizes = vanishing()
    print_vanishing(sizes)
    try:
        print(f"\npicture: {draw(sizes, output / 'delta_rule.png')}")
    except ImportError as error:
        print(f"\nno picture: {error}")


if __name__ == "__main__":
    main()
