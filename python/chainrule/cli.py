"""The command `chainrule`: its words. Errors are one sentence and exit code 2.

What the commands do is in the package `commands`, a module each.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .commands import COMMANDS

EPILOG = """examples:
  chainrule train flats.csv --target price --plot report.png
  chainrule predict model.safetensors new.csv -o predictions.csv
  chainrule evaluate model.safetensors later.csv --target price
  chainrule demo

'chainrule COMMAND --help' shows a command's options."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; '{self.prog} --help' shows what is possible\n")


def _command(name: str) -> Any:
    return importlib.import_module(f"{__package__}.commands.{name}")


def _parser() -> _Parser:
    from chainrule import __version__

    parser = _Parser(
        prog="chainrule",
        description="Train multilayer perceptrons on the CPU.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = _command(name)
        command.add(
            commands.add_parser(
                name, help=command.HELP, description=command.DESCRIPTION, add_help=name != "bench"
            )
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
    except (TypeError, ValueError, ImportError, MemoryError, FloatingPointError) as error:
        return _fail(str(error))


def _fail(message: str) -> int:
    print(f"chainrule: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["bench"]:  # reads its own words, --help too
        return int(_command("bench").run(argparse.Namespace(arguments=arguments[1:])))
    options = _parser().parse_args(arguments)
    return int(_command(options.command).run(options))
