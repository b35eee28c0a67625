"""A neuron by hand, a dense layer, ReLU, and one update of the weights.

First one neuron, `y = ReLU(x . w + b)`, its seven partial derivatives written out; then the same
three lines for a whole layer and a batch,

    dweights = inputs^T . dvalues      dbiases = sum of dvalues      dinputs = dvalues . weights^T

by `Layer_Dense` and `Activation_ReLU`, and one step at learning rate 0.001.

Run: python examples/dense_layer_by_hand.py
"""

import numpy as np

from chainrule import Activation_ReLU, Layer_Dense, gradcheck

INPUTS = np.array([[1, 2, 3, 2.5], [2.0, 5.0, -1.0, 2], [-1.5, 2.7, 3.3, -0.8]])
WEIGHTS = np.array([[0.2, 0.8, -0.5, 1], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]).T
BIASES = np.array([[2, 3, 0.5]])
DVALUES = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
RATE = 0.001


def neuron_by_hand():
    """Products, sum, partial derivatives (x0 w0 x1 w1 x2 w2 b), and w, b after one step."""
    x, w, b = [1.0, -2.0, 3.0], [-3.0, -1.0, 2.0], 1.0
    products = [x[k] * w[k] for k in range(3)]
    z = sum(products) + b
    drelu = 1 if z > 0 else 0
    partials = []
    for k in range(3):
        partials += [drelu * w[k], drelu * x[k]]
    partials.append(drelu)
    updated = [w[k] - RATE * drelu * x[k] for k in range(3)]
    return {"products": products, "z": z, "y": max(z, 0), "partials": partials,
            "w": updated, "b": b - RATE * drelu}  # fmt: skip


def neuron_by_classes():
    """The same seven partial derivatives from a layer of one neuron."""
    layer, relu = Layer_Dense(3, 1), Activation_ReLU()
    layer.weights, layer.biases = [[-3.0], [-1.0], [2.0]], [[1.0]]
    relu.forward(layer.forward(np.array([[1.0, -2.0, 3.0]])))
    layer.backward(relu.backward(np.array([[1.0]])))
    pairs = zip(layer.dinputs[0], layer.dweights[:, 0], strict=True)
    return [float(d) for pair in pairs for d in pair] + [layer.dbiases.item()]


def layer_of_three():
    """`Layer_Dense(inputs, neurons)` with the notebook's weights, stored (inputs, neurons)."""
    layer = Layer_Dense(4, 3)
    layer.weights, layer.biases = WEIGHTS.copy(), BIASES.copy()
    return layer


def layer_gradients():
    """dinputs of one sample and of three, dweights and dbiases."""
    layer = layer_of_three()
    layer.forward(INPUTS[:1])
    one = layer.backward(DVALUES[:1])
    layer.forward(INPUTS)
    layer.backward(DVALUES)
    return {"dinputs of one": one[0], "dinputs": layer.dinputs, "dweights": layer.dweights,
            "dbiases": layer.dbiases}  # fmt: skip


def relu_gradient():
    """ReLU lets the gradient through where its input was positive."""
    z = np.array([[1.0, 2, -3, -4], [2, -7, -1, 3], [-1, 2, 5, -1]])
    dvalues = np.arange(1.0, 13.0).reshape(3, 4)
    relu = Activation_ReLU()
    relu.forward(z)
    mask = relu.backward(np.ones((3, 4)))
    return mask, relu.backward(dvalues)


def one_update():
    """Forward, backward with the layer's own output as dvalues, one step."""
    layer, relu = layer_of_three(), Activation_ReLU()
    layer.forward(INPUTS)
    relu.forward(layer.output)
    relu.backward()
    layer.backward(relu.dinputs)
    layer.weights += -RATE * layer.dweights
    layer.biases += -RATE * layer.dbiases
    return layer.weights, layer.biases


def main():
    neuron = neuron_by_hand()
    print("One neuron: x = [1, -2, 3], w = [-3, -1, 2], b = 1\n")
    print("products, bias  ", *neuron["products"], 1.0)
    print("sum             ", neuron["z"])
    print("ReLU            ", neuron["y"])
    print("\npartial derivatives   x0    w0    x1    w1    x2    w2     b")
    for name, values in (("by hand", neuron["partials"]), ("by classes", neuron_by_classes())):
        print(f"{name:<17}" + "".join(f"{value:6.1f}" for value in values))
    print("\nafter one step: w =", [round(w, 6) for w in neuron["w"]], "b =", neuron["b"])

    gradients = layer_gradients()
    print("\nA dense layer, 4 inputs, 3 neurons; gradient for one sample")
    print(gradients["dinputs of one"])
    for name in ("dinputs", "dweights", "dbiases"):
        print(f"\n{name} for three samples\n{gradients[name]}")

    mask, dinputs = relu_gradient()
    print(f"\nReLU's derivative\n{mask.astype(int)}")
    print(f"\ntimes dvalues\n{dinputs.astype(int)}")

    weights, biases = one_update()
    print(f"\nweights after one step\n{weights}")
    print(f"\nbiases after one step\n{biases}\n")
    print(gradcheck(layer_of_three(), INPUTS))


if __name__ == "__main__":
    main()
