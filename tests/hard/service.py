"""A web service that forks its workers after loading the model, under load, beside a training.

The parent loads a net, computes with a team of threads, forks two workers (as servers do that load
the application first) and goes on training another net. Each worker answers from a thread for each
connection. Clients ask for one row after the other and compare every answer to the last bit.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from hard.leaks import held

QUICK, LONG = 4, 600  # seconds of load

WORKERS, CLIENTS = 2, 4
PAGES = 2 << 20  # bytes by which a worker may grow after its first third
REST = 0.002  # seconds between two questions of a client: a service is not a benchmark


def net() -> tuple[cr.Model, Any, Any]:
    """Return a net of the size of the digits', and samples."""
    X, y = cr.datasets.load_digits()
    model = cr.mlp(64, 128, 64, 10, output="softmax", seed=0)
    model.train(X, y, epochs=2, batch_size=64, progress=False, print_every=None)
    return model, X, y


# --- the service ----------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """POST a list of numbers: what the net says, and how long it took; GET: the worker's memory."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and content leave together
    disable_nagle_algorithm = True
    model: cr.Model

    def do_POST(self) -> None:
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        start = time.perf_counter()
        output = self.model.predict(np.array([row], np.float32))[0]
        self.answer({"output": output.tolist(), "seconds": time.perf_counter() - start})

    def do_GET(self) -> None:
        self.answer({"pid": os.getpid(), "bytes": held().tolist()})

    def answer(self, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Worker(ThreadingHTTPServer):
    """Serves from a socket that its parent has bound."""

    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening


def serve(path: Path) -> None:
    """Load, compute, fork, train until the signal comes, and end the workers."""
    Handler.model = cr.Model.load(path)
    cr.set_num_threads(2)
    other, X, y = net()  # a team of threads was at work before the fork
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    workers = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            cr.set_num_threads(1)
            Worker(listening).serve_forever()
        workers.append(pid)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    print(listening.getsockname()[1], flush=True)
    cr.set_num_threads(1)
    while not ended.is_set():
        other.train(X, y, epochs=1, batch_size=64, progress=False, print_every=None)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert np.isfinite(other.flat_parameters()).all()


# --- its clients ----------------------------------------------------------------------------------


def ask(connection: HTTPConnection, row: Any) -> Any:
    connection.request("POST", "/", json.dumps(row.tolist()))
    return json.load(connection.getresponse())


def memory(connection: HTTPConnection) -> tuple[int, Any]:
    connection.request("GET", "/")
    told = json.load(connection.getresponse())
    return told["pid"], np.array(told["bytes"])


def client(port: int, rows: Any, expected: Any, seconds: float) -> tuple[Any, dict[int, Any]]:
    """Ask until the time is over; return seconds at client and in worker, and a worker's growth."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    times: list[tuple[float, float]] = []
    start, before = time.perf_counter(), None
    pid, now = 0, np.zeros(2)
    while (passed := time.perf_counter() - start) < seconds:
        if before is None and passed > seconds / 3:
            pid, before = memory(connection)
        place = len(times) % len(rows)
        asked = time.perf_counter()
        answer = ask(connection, rows[place])
        times.append((time.perf_counter() - asked, answer["seconds"]))
        assert answer["output"] == expected[place].tolist(), place
        time.sleep(REST)
    pid, now = memory(connection)
    assert before is not None, "no answer came in a third of the time"
    connection.close()
    return np.array(times), {pid: now - before}


def check(count: int, seed: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "net.safetensors"
        model, X, _ = net()
        model.save(path)
        rows = np.random.default_rng(seed).permutation(X)[:500].astype(np.float32)
        expected = model.predict(rows)
        service = subprocess.Popen(
            [sys.executable, __file__, str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert service.stdout is not None
            port = int(service.stdout.readline())
            with ThreadPoolExecutor(CLIENTS) as pool:
                asked = [pool.submit(client, port, rows, expected, count) for _ in range(CLIENTS)]
                found = [each.result() for each in asked]
        finally:
            service.terminate()
            code = service.wait(60)
    assert code == 0, code
    growth = {pid: grown for _, each in found for pid, grown in each.items()}
    most = np.max(list(growth.values()), axis=0)
    assert most[1] < PAGES, f"workers grew by {growth}"
    times = np.concatenate([each for each, _ in found])
    whole, inside = np.percentile(times, 99, axis=0) * 1000
    return (
        f"{len(times)} answers of {len(growth)} workers in {count} s beside a training, all right; "
        f"99 % within {whole:.2f} ms, {inside:.2f} ms of it the net; memory grew by at most "
        f"{max(0, most[1]) // 1024} kB"
    )


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
