"""The commands of `chainrule`, a module each: demo, explain, info, bench, train, predict, evaluate.

A module has ``HELP``, the line of ``chainrule --help``; ``add``, which gives its parser arguments;
and ``run``, which does it and returns the exit code. bench reads its arguments itself. cli.py finds
them in `COMMANDS`, and imports one when it is called.

Behind train, predict and evaluate: table_files.py reads and writes CSV and Parquet, dialect.py
finds out delimiter and decimal mark, columns.py chooses columns, tasks.py tells classes from
values, scores.py measures, report.py writes the text and picture.py draws it.
"""

from __future__ import annotations

# in the order of the help
COMMANDS = ("train", "predict", "evaluate", "explain", "demo", "info", "bench")

__all__ = ["COMMANDS"]
