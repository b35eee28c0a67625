"""``chainrule info``: what the package runs with here."""

from __future__ import annotations

import argparse

HELP = "version, CPU target, threads, OpenMP, build flags"
DESCRIPTION = "Tells what the package runs with on this machine."


def add(parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


def run(options: argparse.Namespace) -> int:
    """Print it."""
    import chainrule

    chainrule.show_config()
    return 0
