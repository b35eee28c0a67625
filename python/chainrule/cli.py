"""The command `chainrule`: demo, info, bench, explain. Errors are one sentence and exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

DEMOS = ("digits", "sine", "spiral")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; '{self.prog} --help' shows what is possible\n")


def _parser() -> _Parser:
    from chainrule import __version__

    parser = _Parser(prog="chainrule", description="Train multilayer perceptrons on the CPU.")
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="train a net, check its gradient, draw a picture (default: digits)",
        description="digits: read handwritten digits. sine: fit a sine in 100,000 steps. "
        "spiral: part three spiral arms. Each ends within a minute.",
    )
    demo.add_argument("name", nargs="?", choices=DEMOS, default="digits", help="default: digits")
    demo.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER",
        help="where the picture goes (default: here)",
    )  # fmt: skip
    explain = commands.add_parser(
        "explain",
        help="show one training step of a model file on samples, as a page",
        description="Prints the layers' numbers and what may keep the model from learning, and "
        "writes a self-contained page of the step.",
    )
    explain.add_argument("model", type=Path, metavar="model.safetensors", help="from Model.save")
    explain.add_argument(
        "data", type=Path, metavar="data.npz", help="arrays X and y, sample_weight if you like"
    )
    explain.add_argument(
        "-o", "--output", type=Path, default=Path("explanation.html"), metavar="PAGE",
        help="default: explanation.html",
    )  # fmt: skip
    commands.add_parser("info", help="version, CPU target, threads, OpenMP, build flags")
    commands.add_parser(
        "bench", add_help=False, help="compare speed with other libraries (see bench --help)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code.

    Parameters
    ----------
    argv : sequence of str
        The arguments after the program's name; None takes those of the process.

    Raises
    ------
    SystemExit
        From argparse: after `--help` and `--version` (0) and wrong arguments (2).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("chainrule: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has left: nothing more can be said, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (TypeError, ValueError, ImportError, MemoryError) as error:
        return _fail(str(error))


def _fail(message: str) -> int:
    print(f"chainrule: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["bench"]:
        from chainrule import bench

        return int(bench.main(arguments[1:]) or 0)
    chosen = _parser().parse_args(arguments)
    if chosen.command == "info":
        import chainrule

        chainrule.show_config()
    elif chosen.command == "explain":
        from chainrule.seeing.command import explain

        explain(chosen.model, chosen.data, chosen.output)
    else:
        from chainrule import demo

        demo.run(chosen.name, chosen.output)
    return 0
