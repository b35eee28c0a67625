"""``chainrule bench``: how fast we are beside other libraries on this machine.

command.py reads the arguments and runs; workloads.py says what is trained; peers/ holds one
module a library; agreement.py checks that all compute the same; launch.py, worker.py and
process.py are the measured processes; measurement.py takes turns; results.py holds the numbers;
report.py, markdown.py and plot.py show them; comparison.py sets a run beside an earlier one.
"""

from .command import main

__all__ = ["main"]
