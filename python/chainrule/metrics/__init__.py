"""Accuracies: means over samples, and scores of a whole pass."""

from .accuracies import Accuracy, Accuracy_Categorical, Accuracy_Regression
from .scores import Accuracy_AUC, Accuracy_R2

__all__ = [
    "Accuracy",
    "Accuracy_AUC",
    "Accuracy_Categorical",
    "Accuracy_R2",
    "Accuracy_Regression",
]
