"""``chainrule demo``: a net that is trained, checked and drawn."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "train a net, check its gradient, draw a picture (default: digits)"
DESCRIPTION = (
    "digits: read handwritten digits. sine: fit a sine in 100,000 steps. "
    "spiral: part three spiral arms. Each ends within a minute."
)
NAMES = ("digits", "sine", "spiral")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", nargs="?", choices=NAMES, default="digits", help="default: digits")
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER",
        help="where the picture goes (default: here)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the demo."""
    from chainrule import demo

    demo.run(options.name, options.output)
    return 0
