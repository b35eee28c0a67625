"""Estimators with scikit-learn's interface, trained and run by the compiled core.

`MLPClassifier` and `MLPRegressor` take the place of scikit-learn's by one changed import. Within
this package ``import sklearn`` means scikit-learn, which only this package imports.

base.py is what both share: `fit`, `partial_fit`, outputs. settings.py checks the parameters,
inputs.py the samples, labels.py turns classes into targets and back, heads.py chooses last layer
and loss, construction.py builds the model and the optimizer. epochs.py trains it step by step, with
the rules of stopping.py; quasi_newton.py does so by L-BFGS; steps.py is `partial_fit`'s short way.
tabular/ has the estimators for tables of numbers and words, and transformers of numbers. saving/
writes all estimators to files, saved.py is their `save` and `load`.
"""

try:
    import sklearn  # noqa: F401
except ImportError:
    raise ImportError(
        "chainrule.sklearn: expected scikit-learn, which is not installed: "
        "pip install 'chainrule[sklearn]'"
    ) from None

from .classifier import MLPClassifier
from .regressor import MLPRegressor
from .saving import load_estimator
from .tabular import (
    PeriodicFeatures,
    PiecewiseLinearFeatures,
    RobustSmoothScaler,
    TabularClassifier,
    TabularRegressor,
)

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "PeriodicFeatures",
    "PiecewiseLinearFeatures",
    "RobustSmoothScaler",
    "TabularClassifier",
    "TabularRegressor",
    "load_estimator",
]
