"""Gradients checked against differences, and models against each other.

Tolerances are derived from the operands.
"""

from .checking import gradcheck
from .functions import check_gradient
from .likeness import Comparison, compare
from .numerical import numerical_gradient
from .report import GradientReport, GradientRow

__all__ = [
    "Comparison",
    "GradientReport",
    "GradientRow",
    "check_gradient",
    "compare",
    "gradcheck",
    "numerical_gradient",
]
