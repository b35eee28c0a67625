"""Estimators for tables of rows and columns as they come: texts, categories, missing cells.

table.py reads arrays, sparse matrices and frames into numbers and codes of categories; encoding.py
makes a net's inputs of them. presets.py has the usual settings; net.py builds the net and folds it
for predictions, with first parameters of first_parameters.py, and layers of shared.py for nets that
share their weights. member.py trains one, ensemble.py several at once, folds.py says on which rows.
calibration.py fits a temperature. base.py, classifier.py and regressor.py are the estimators.

Transformers of numbers: smooth_scaler.py, which the estimators use, periodic_features.py,
piecewise_linear.py.
"""

from .classifier import TabularClassifier
from .periodic_features import PeriodicFeatures
from .piecewise_linear import PiecewiseLinearFeatures
from .regressor import TabularRegressor
from .smooth_scaler import RobustSmoothScaler

__all__ = [
    "PeriodicFeatures",
    "PiecewiseLinearFeatures",
    "RobustSmoothScaler",
    "TabularClassifier",
    "TabularRegressor",
]
