"""Losses, alone or joined with the last activation, and what they share."""

from .base import Loss
from .crossentropies import Loss_BinaryCrossentropy, Loss_CategoricalCrossentropy
from .joint import (
    Activation_Sigmoid_Loss_BinaryCrossentropy,
    Activation_Softmax_Loss_CategoricalCrossentropy,
)
from .real_targets import (
    Loss_HalfSquaredError,
    Loss_Hinge,
    Loss_Huber,
    Loss_LogCosh,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Loss_Poisson,
    Loss_Quantile,
)

__all__ = [
    "Activation_Sigmoid_Loss_BinaryCrossentropy",
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Loss",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_HalfSquaredError",
    "Loss_Hinge",
    "Loss_Huber",
    "Loss_LogCosh",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
    "Loss_Poisson",
    "Loss_Quantile",
]
