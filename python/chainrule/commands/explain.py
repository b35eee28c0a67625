"""``chainrule explain``: one training step of a model file on samples, as a page."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "show one training step of a model file on samples, as a page"
DESCRIPTION = (
    "Prints the layers' numbers and what may keep the model from learning, and "
    "writes a self-contained page of the step."
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", type=Path, metavar="model.safetensors", help="from Model.save")
    parser.add_argument(
        "data", type=Path, metavar="data.npz", help="arrays X and y, sample_weight if you like"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("explanation.html"), metavar="PAGE",
        help="default: explanation.html",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    from chainrule.seeing.command import explain

    explain(options.model, options.data, options.output)
    return 0
