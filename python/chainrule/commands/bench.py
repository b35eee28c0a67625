"""``chainrule bench``: its arguments are read by the package `chainrule.bench`."""

from __future__ import annotations

import argparse

HELP = "compare speed with other libraries (see bench --help)"
DESCRIPTION = ""


def add(parser: argparse.ArgumentParser) -> None:
    """Add nothing: cli.py hands all words on."""


def run(options: argparse.Namespace) -> int:
    """Run the benchmark."""
    from chainrule import bench

    return int(bench.main(options.arguments) or 0)
