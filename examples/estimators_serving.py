"""A web service that answers from eight threads with one net, without scikit-learn.

The net is fitted as an estimator and saved; the service loads the file alone. Any number of threads
may predict with one model, and a row has the bits that it has among thousands.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

import chainrule

THREADS = 8


def save_net(path: Path) -> tuple[Any, Any]:
    """Fit digits, save the net; return the samples and what the estimator says of them."""
    from chainrule.sklearn import MLPClassifier

    X, y = chainrule.datasets.load_digits()
    estimator = MLPClassifier(hidden_layer_sizes=(64,), max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    estimator.model_.save(path)
    return X, estimator.predict_proba(X)


def service(path: Path) -> ThreadingHTTPServer:
    """Return a server whose threads share one model: POST a list of numbers, get a class back."""
    net = chainrule.Model.load(path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            probabilities = net.predict([row])[0]
            answer = json.dumps(
                {"class": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def ask(port: int, row: Any) -> Any:
    """Return the service's answer for a row."""
    url = f"http://127.0.0.1:{port}/"
    with urllib.request.urlopen(url, json.dumps(row.tolist()).encode(), timeout=30) as answer:
        return json.load(answer)


def main(times: bool = False) -> None:
    """Serve 400 questions of eight clients, and compare the answers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        X, expected = save_net(path)
        server = service(path)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as clients:
            answers = list(clients.map(lambda row: ask(server.server_port, row), X[:400]))
        seconds = time.perf_counter() - start
        server.shutdown()
        server.server_close()
    speed = f" in {seconds:.2f} s" if times else ""
    print(f"{len(answers)} answers to {THREADS} clients{speed}")
    same = all(
        np.array_equal(answer["probabilities"], row)
        for answer, row in zip(answers, expected, strict=False)
    )
    print("the service and the estimator:", "agree to the last bit" if same else "WRONG")


if __name__ == "__main__":
    main(times=True)
