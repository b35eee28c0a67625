"""A web application with Flask that answers rows of a table from eight threads with one estimator.

The file holds the preprocessing too: questions are JSON with texts, numbers and null, as a form
would send them. Needs `pip install flask`, which is this example's own requirement.
"""

from __future__ import annotations

import json
import tempfile
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

from chainrule.sklearn import TabularClassifier, load_estimator

THREADS = 8
NAMES = ("age", "fare", "port")


def passengers(n: int, seed: int) -> tuple[Any, Any]:
    """Return a table of objects with missing cells, and who travels in which class."""
    rng = np.random.default_rng(seed)
    age, fare = rng.gamma(6, 6, n).round(), rng.lognormal(3, 1, n).round(2)
    port = rng.choice(["Cherbourg", "Queenstown", "Southampton"], n)
    cabin = fare * np.where(port == "Cherbourg", 2, 1) + 0.3 * age
    table = np.empty((n, 3), dtype=object)
    for place, column in enumerate((age, fare, port)):
        table[:, place] = column.tolist()
    table[rng.random(n) < 0.2, 0] = None
    return table, np.digitize(cabin, [25, 60])


def application(path: Path) -> Flask:
    """Return the application: POST an object of cells to /predict, get a class back."""
    estimator = load_estimator(path)  # once; any number of threads may predict with it
    app = Flask(__name__)

    @app.post("/predict")
    def predict() -> Any:
        cells = request.get_json()
        row = np.array([[cells.get(name) for name in NAMES]], dtype=object)
        shares = estimator.predict_proba(row)[0]
        best = int(shares.argmax())
        return jsonify({"class": int(estimator.classes_[best]), "probabilities": shares.tolist()})

    return app


class Quiet(WSGIRequestHandler):
    """Prints no line for each request."""

    def log(self, *arguments: Any) -> None:
        """Say nothing."""


def ask(port: int, row: Any) -> Any:
    """Return the application's answer for a row."""
    data = json.dumps(dict(zip(NAMES, row, strict=True))).encode()
    question = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(question, timeout=30) as answer:
        return json.load(answer)


def main() -> None:
    """Fit, save, serve 200 questions of eight clients, and compare the answers."""
    X, y = passengers(800, seed=0)
    estimator = TabularClassifier(hidden_layer_sizes=(32, 32), epochs=40, random_state=0).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "passengers.safetensors"
        estimator.save(path)
        server = make_server(
            "127.0.0.1", 0, application(path), threaded=True, request_handler=Quiet
        )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows, truth = passengers(200, seed=1)
    with ThreadPoolExecutor(THREADS) as clients:
        answers = list(clients.map(lambda row: ask(server.server_port, row.tolist()), rows))
    server.shutdown()
    server.server_close()
    expected = estimator.predict_proba(rows)
    same = all(
        np.array_equal(answer["probabilities"], shares)
        for answer, shares in zip(answers, expected, strict=True)
    )
    right = np.mean([answer["class"] for answer in answers] == truth)
    print(f"{len(answers)} answers to {THREADS} clients, {right:.0%} of the classes right")
    print("the application and the estimator:", "agree to the last bit" if same else "WRONG")


if __name__ == "__main__":
    main()
