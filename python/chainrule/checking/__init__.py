"""Gradients checked against differences, with a tolerance that is derived from the operands."""

from .checking import gradcheck
from .functions import check_gradient
from .numerical import numerical_gradient
from .report import GradientReport, GradientRow

__all__ = ["GradientReport", "GradientRow", "check_gradient", "gradcheck", "numerical_gradient"]
