"""`RobustSmoothScaler`: quartiles, smooth ends, columns that have no spread."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.sklearn import RobustSmoothScaler


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_are_scaled_as_the_formula_says(dtype: type) -> None:
    X = np.random.default_rng(0).standard_cauchy((101, 3)).astype(dtype)
    scaled = RobustSmoothScaler().fit_transform(X)
    assert scaled.dtype == dtype
    low, median, high = np.percentile(X.astype(float), (25, 50, 75), axis=0)
    z = (X.astype(float) - median) / (high - low)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(scaled, z / np.sqrt(1 + (z / 3) ** 2), rtol=8 * eps, atol=3 * eps)
    assert np.abs(scaled).max() <= 3


def test_a_column_that_is_nearly_always_the_same_goes_by_its_other_cells() -> None:
    column = np.full(40, 5.0)
    column[10:15] = 1.0, 2.0, 3.0, 4.0, 99.0  # quartiles 2 and 4
    scaler = RobustSmoothScaler().fit(column[:, None])
    assert scaler.center_.tolist() == [5.0]
    assert scaler.scale_.tolist() == [0.5]


def test_columns_without_spread_between_any_quartiles_go_by_their_ends() -> None:
    two = np.zeros(20)
    two[[3, 4]] = 4  # 2 / (4 - 0) = 1/2
    three = np.zeros(20)
    three[[3, 4, 5, 6, 7]] = -1, 3, 3, 3, 3  # the other cells' quartiles are 3 and 3: 2 / (3 - -1)
    X = np.column_stack([two, three, np.full(20, 7.0)])
    scaler = RobustSmoothScaler().fit(X)
    assert scaler.scale_.tolist() == [0.5, 0.5, 0.0]
    scaled = scaler.transform(X)
    assert scaled[4, 1] == pytest.approx(1.5 / np.sqrt(1 + 0.25))
    assert not scaled[:, 2].any()


def test_missing_cells_stay_missing_and_do_not_count() -> None:
    X = np.arange(12.0).reshape(-1, 1)
    with_gaps = np.concatenate([X, np.full((5, 1), np.nan)])
    plain, gaps = RobustSmoothScaler().fit(X), RobustSmoothScaler().fit(with_gaps)
    assert plain.center_ == gaps.center_ and plain.scale_ == gaps.scale_
    assert np.isnan(gaps.transform(with_gaps)[12:]).all()
    nothing = RobustSmoothScaler().fit(np.full((4, 1), np.nan))
    assert nothing.transform([[2.0]]).tolist() == [[0.0]]


def test_the_largest_and_smallest_numbers_stay_finite() -> None:
    largest = np.finfo(float).max
    X = np.array([[-largest, 0], [0, 5e-324], [1, 0], [largest, 5e-324], [2, 0]])
    scaled = RobustSmoothScaler().fit(np.arange(10.0).reshape(5, 2)).transform(X)
    assert np.isfinite(scaled).all() and np.abs(scaled).max() <= 3
    assert np.isfinite(RobustSmoothScaler().fit_transform(X)).all()


def test_names_pass_through() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2, 3], "b": [0.0, 1, 5]})
    scaler = RobustSmoothScaler().set_output(transform="pandas")
    assert list(scaler.fit_transform(table).columns) == ["a", "b"]
