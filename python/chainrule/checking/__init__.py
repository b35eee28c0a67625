"""Gradients checked against differences, with a tolerance that is derived from the operands."""

from .checking import gradcheck
from .numerical import numerical_gradient
from .report import GradientReport, GradientRow

__all__ = ["GradientReport", "GradientRow", "gradcheck", "numerical_gradient"]
