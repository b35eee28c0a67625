"""scikit-learn's own checks of an estimator: all of them, none expected to fail."""

from __future__ import annotations

import warnings
from typing import Any
from unittest import SkipTest

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from chainrule.sklearn import MLPClassifier, MLPRegressor

# The reasons for which scikit-learn itself passes over a check: none is about what we do.
ALLOWED = (
    "SCIPY_ARRAY_API is not set",
    "does not have a decision_function method",
    "not installed",
)


def checks() -> list[Any]:
    found = []
    for estimator in (MLPClassifier(), MLPRegressor()):
        for _, check in estimator_checks_generator(estimator):
            name = f"{type(estimator).__name__}-{check.func.__name__}"
            found.append(pytest.param(estimator, check, id=name))
    return found


@pytest.mark.parametrize(("estimator", "check"), checks())
def test_check_passes(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(estimator)
        except SkipTest as reason:
            assert any(text in str(reason) for text in ALLOWED), reason


def test_there_are_as_many_checks_as_scikit_learns_own_estimators_get() -> None:
    from sklearn.neural_network import MLPClassifier as TheirClassifier

    def names(estimator: Any) -> set[str]:
        return {check.func.__name__ for _, check in estimator_checks_generator(estimator)}

    assert names(MLPClassifier()) >= names(TheirClassifier())
