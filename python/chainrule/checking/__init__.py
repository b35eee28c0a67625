"""Gradients checked against differences, with a tolerance that is measured."""

from .checking import gradcheck, numerical_gradient
from .report import GradientReport, GradientRow

__all__ = ["GradientReport", "GradientRow", "gradcheck", "numerical_gradient"]
