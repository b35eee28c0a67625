"""Nets and samples for tests of many models; other processes can import this file."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 5)).astype(np.float32)
LABELS = (X[:, 0] > 0) * 1 + (X[:, 1] > 0)
VALUES = np.sin(X[:, :1]) + X[:, 1:2]


def classifier(seed: int, *sizes: int, **settings: Any) -> cr.Model:
    sizes = sizes or (8,)
    return cr.mlp(5, *sizes, 3, output="softmax", seed=seed, **settings)


def fitted(seed: int) -> tuple[str, int]:
    model = classifier(seed)
    model.train(X, LABELS, epochs=3, batch_size=32, shuffle=True, rng=seed)
    return model.fingerprint(), cr.get_num_threads()
