"""What many ranks of MPI gain: measured here, or on paper from a few constants of any machine.

    mpiexec -n 2 python benchmarks/ranks.py measure [--net 784,128,10] [--batch 512]
    python benchmarks/ranks.py paper [--net 784,128,10] [--batch 512] [--flops 1.5e11]
        [--fixed 2.5e-5] [--update 6e-10] [--latency 2e-5] [--bandwidth 1.2e9] [--noise 1000]

`measure` prints the constants that `paper` takes, and the overhead of a step on these ranks over
its share of a plan's step plus the Allreduce. Each figure is the fastest of many single steps.

On paper a step of a batch of B samples on R ranks, with P parameters of 4 bytes, takes

    fixed + 6 P ceil(B / R) / flops + update P
          + 2 latency ceil(log2 R) + 2 (R - 1) / R 4 P / bandwidth,

the last two terms for an Allreduce by halves. With a batch that grows with the ranks, B = R b,
fewer steps are needed, but not R times fewer: as 1 + noise / B (McCandlish, Kaplan, Amodei and the
OpenAI Dota Team, 2018, "An empirical model of large-batch training").
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
SIZE = 4  # bytes of a float32
WORTH = 1.25  # twice the ranks must gain as much, or they are said not to pay


class Machine(NamedTuple):
    """Operations a second; seconds a step, a parameter's update, a message; bytes a second."""

    flops: float
    fixed: float
    update: float
    latency: float
    bandwidth: float


def parameters_of(sizes: list[int]) -> int:
    """Return the number of weights and biases."""
    return sum((a + 1) * b for a, b in pairwise(sizes))


# --- on paper -------------------------------------------------------------------------------------


def traffic(machine: Machine, parameters: int, ranks: int) -> float:
    """Return the seconds of an Allreduce of all gradients."""
    if ranks == 1:
        return 0.0
    messages = 2 * math.ceil(math.log2(ranks))
    moved = 2 * (ranks - 1) / ranks * parameters * SIZE
    return messages * machine.latency + moved / machine.bandwidth


def step(machine: Machine, parameters: int, batch: int, ranks: int) -> float:
    """Return the seconds of a step."""
    work = 6 * parameters * math.ceil(batch / ranks) / machine.flops
    return machine.fixed + work + machine.update * parameters + traffic(machine, parameters, ranks)


def steps_needed(batch: int, noise: float) -> float:
    """Return how many steps a loss takes, in those of a batch without noise."""
    return 1 + noise / batch


def last_that_pays(times: Callable[[int], float]) -> int:
    """Return the number of ranks, a power of two, from which twice as many gain too little."""
    ranks = 1
    while ranks < 1024 and times(ranks) >= WORTH * times(2 * ranks):
        ranks *= 2
    return ranks


def paper(machine: Machine, sizes: list[int], batch: int, noise: float) -> list[str]:
    """Return the lines of a table."""
    parameters = parameters_of(sizes)

    def same(ranks: int) -> float:
        return step(machine, parameters, batch, ranks)

    def grown(ranks: int) -> float:
        whole = ranks * batch
        return step(machine, parameters, whole, ranks) * steps_needed(whole, noise)

    lines = [
        f"{'-'.join(map(str, sizes))}: {parameters:,} parameters, batch {batch}, noise {noise:g}",
        "",
        "| ranks | step, ms | of it traffic | faster by | batch grown: step, ms | to a loss by |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for ranks in RANKS:
        one, many = same(ranks), step(machine, parameters, ranks * batch, ranks)
        share = traffic(machine, parameters, ranks) / one
        lines.append(
            f"| {ranks} | {one * 1e3:.3g} | {share:.0%} | {same(1) / one:.1f} "
            f"| {many * 1e3:.3g} | {grown(1) / grown(ranks):.1f} |"
        )
    lines += [
        "",
        f"More ranks stop paying (twice as many gain less than {WORTH:g} times) at "
        f"{last_that_pays(same)} with this batch, at {last_that_pays(grown)} where it grows.",
    ]
    return lines


# --- measured -------------------------------------------------------------------------------------


def plain_step(net: list[int], X: Any, y: Any, epochs: int) -> float:
    """Return the seconds of the fastest step of a plan with all samples as one shuffled batch."""
    history = model_of(net).train(X, y, epochs=epochs, shuffle=True, rng=1)
    return float(history.seconds.min())


def model_of(net: list[int]) -> Any:
    """Return a classifier with these widths."""
    import chainrule as cr

    return cr.mlp(*net, output="softmax", optimizer=cr.Optimizer_SGD(0.005), seed=1)


def parallel_step(net: list[int], X: Any, y: Any, epochs: int, **how: Any) -> tuple[float, float]:
    """Return the seconds of the fastest step on all ranks, and of a rank's own work (collective).

    That is what is left without the sums, and the waiting for other ranks that is in them.
    """
    from chainrule.mpi import DataParallel
    from chainrule.mpi.ranks import Ranks
    from chainrule.mpi.runner import ParallelRunner

    seconds: list[float] = []
    own: list[float] = []
    sums: list[float] = []
    one_step, add = ParallelRunner._one_step, Ranks.add

    def timed_add(ranks: Any, *arrays: Any) -> None:
        start = time.perf_counter()
        add(ranks, *arrays)
        sums.append(time.perf_counter() - start)

    def timed(runner: Any, knows_penalty: bool) -> bool:
        start = time.perf_counter()
        whole = one_step(runner, knows_penalty)
        seconds.append(time.perf_counter() - start)
        own.append(seconds[-1] - sum(sums))
        sums.clear()
        return whole

    ParallelRunner._one_step = timed  # type: ignore[method-assign]
    Ranks.add = timed_add  # type: ignore[method-assign]
    try:
        DataParallel(model_of(net), **how).train(X, y, epochs=epochs, shuffle=True, rng=1)
    finally:
        ParallelRunner._one_step = one_step  # type: ignore[method-assign]
        Ranks.add = add  # type: ignore[method-assign]
    return min(seconds), min(own)


def allreduce(comm: Any, count: int, repeats: int) -> float:
    """Return the seconds of the fastest sum of so many float32 over all ranks (collective)."""
    import numpy as np
    from mpi4py import MPI

    values, best = np.zeros(count, dtype=np.float32), math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        comm.Allreduce(MPI.IN_PLACE, values)
        best = min(best, time.perf_counter() - start)
    return best


def measure(net: list[int], batch: int, repeats: int) -> None:
    """Print constants and overhead, on rank 0 (collective)."""
    import numpy as np
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    ranks, parameters = comm.size, parameters_of(net)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((batch, net[0])).astype(np.float32)
    y = rng.integers(0, net[-1], batch)
    part = batch // max(ranks, 2)
    found: dict[str, list[float]] = {}
    for _ in range(3):  # turns: whatever disturbs the machine should disturb all alike
        parallel, own = parallel_step(net, X, y, repeats)
        turn = {
            "whole": plain_step(net, X, y, repeats),
            "part": plain_step(net, X[:part], y[:part], repeats),
            "parallel": parallel,
            "own work": own,
            "tree": parallel_step(net, X, y, repeats, deterministic=True)[0],
            "tiny": parallel_step([4, 4, 2], X[:ranks, :4], y[:ranks] % 2, repeats)[1],
            "sum": allreduce(comm, parameters, repeats),
            "message": allreduce(comm, 2, repeats),
        }
        for name, seconds in turn.items():
            found.setdefault(name, []).append(max(comm.allgather(seconds)))
    best = {name: min(seconds) for name, seconds in found.items()}
    if comm.rank:
        return
    rate = 6 * parameters * (batch - part) / max(best["whole"] - best["part"], 1e-9)
    alone = best["part"] if ranks > 1 else best["whole"]
    extra = best["own work"] - alone - best["tiny"]  # gradients given, taken and spent
    machine = Machine(rate, best["tiny"], max(extra, 0.0) / parameters, math.nan, math.nan)
    if ranks > 1:
        latency = best["message"] / (2 * math.ceil(math.log2(ranks)))
        moved = 2 * (ranks - 1) / ranks * parameters * SIZE
        bandwidth = moved / max(best["sum"] - best["message"], 1e-9)
        machine = machine._replace(latency=latency, bandwidth=bandwidth)
    print(f"{ranks} ranks, {'-'.join(map(str, net))}, batch {batch}, {parameters:,} parameters")
    for name, seconds in best.items():
        print(f"  {name:9}{seconds * 1e6:10.1f} us")
    for name, value in machine._asdict().items():
        print(f"  --{name} {value:.3g}")
    share = best["whole"] / ranks + best["sum"] * (ranks > 1)
    print(f"  over the plan's step / {ranks} + Allreduce: {best['parallel'] / share - 1:+.1%}")
    apart = best["own work"] + best["sum"] * (ranks > 1)
    print(f"  own work + Allreduce, each by itself, over the same: {apart / share - 1:+.1%}")
    print(f"  deterministic: {best['tree'] / best['parallel']:.2f} times as long")


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("what", choices=["measure", "paper"])
    command.add_argument("--net", default="784,128,10", help="widths, with commas")
    command.add_argument("--batch", type=int, default=512)
    command.add_argument("--repeats", type=int, default=300, help="steps of each kind and turn")
    command.add_argument("--noise", type=float, default=1000.0, help="samples")
    for name, value in Machine(1.5e11, 2.5e-5, 6e-10, 2e-5, 1.2e9)._asdict().items():
        command.add_argument(f"--{name}", type=float, default=value)
    given = command.parse_args()
    net = [int(each) for each in given.net.split(",")]
    if given.what == "paper":
        machine = Machine(*(getattr(given, name) for name in Machine._fields))
        print("\n".join(paper(machine, net, given.batch, given.noise)))
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    measure(net, given.batch, given.repeats)


if __name__ == "__main__":
    main()
