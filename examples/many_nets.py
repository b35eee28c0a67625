"""Many nets in one call: seeds and rates beside each other on all cores, and their mean.

Run:  python examples/many_nets.py [--nets 12] [--epochs 60]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr

RATES = (0.001, 0.003, 0.01)


def samples(n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a noisy wave of two variables."""
    X = rng.uniform(-2, 2, (n, 2)).astype(np.float32)
    noise = 0.2 * rng.standard_normal((n, 1))
    return X, (np.sin(2 * X[:, :1]) * X[:, 1:] + noise).astype(np.float32)


def net(seed: int, rate: float) -> cr.Model:
    """Return a net with its rate."""
    model = cr.mlp(2, 32, 32, 1, seed=seed)
    model.optimizer.learning_rate = rate
    return model


def root(outputs: Any, y: Any) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean(np.square(outputs - y))))


def fitted(count: int, epochs: int) -> dict[str, Any]:
    """Train `count` nets; return their errors on other samples, and that of their mean."""
    rng = np.random.default_rng(0)
    X, y = samples(600, rng)
    X_test, y_test = samples(600, rng)
    models = [net(seed, RATES[seed % len(RATES)]) for seed in range(count)]
    cr.fit_many(models, X, y, epochs=epochs, batch_size=50, shuffle=True, rng=range(count))
    outputs = [model.predict(X_test) for model in models]
    alone = net(1, RATES[1])
    alone.train(X, y, epochs=epochs, batch_size=50, shuffle=True, rng=1, progress=False)
    return {
        "errors": [root(each, y_test) for each in outputs],
        "mean": root(np.mean(outputs, axis=0), y_test),
        "same bits": alone.fingerprint() == models[1].fingerprint(),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    found = fitted(options.nets, options.epochs)
    print("seed   rate    error")
    for seed, error in enumerate(found["errors"]):
        print(f"{seed:4d}  {RATES[seed % len(RATES)]:5.3f}   {error:.4f}")
    print(f"mean of all   {found['mean']:.4f}")
    print(f"net 1 and the same trained alone: {'agree' if found['same bits'] else 'WRONG'}")


if __name__ == "__main__":
    main()
