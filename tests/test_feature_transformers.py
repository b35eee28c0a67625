"""`PeriodicFeatures`, `PiecewiseLinearFeatures`: formulas, edges, names, ways back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from chainrule.sklearn import PeriodicFeatures, PiecewiseLinearFeatures, RobustSmoothScaler
from tabular_cases import Array

DTYPES = [np.float32, np.float64]


def samples(n: int = 300) -> Array:
    """Return columns of several scales; the last one has few values."""
    rng = np.random.default_rng(0)
    return np.column_stack([rng.normal(size=n), 1e3 * rng.random(n), rng.integers(0, 4, n)])


# --- periodic -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_features_are_the_column_its_sines_and_its_cosines(dtype: Any) -> None:
    X = samples().astype(dtype)
    waves = PeriodicFeatures(4, sigma=0.3, random_state=1).fit(X)
    found = waves.transform(X)
    assert found.dtype == dtype and found.shape == (300, 3 * 9)
    angles = 2 * np.pi * X.astype(float)[:, :, None] * waves.frequencies_
    expected = np.concatenate([X[:, :, None], np.sin(angles), np.cos(angles)], axis=2)
    # an angle is known to a rounding of its size, a wave to that and one of its own
    tolerance = np.finfo(np.float64).eps * np.abs(angles).max() * 4 + 2 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, expected.reshape(300, -1), rtol=0, atol=tolerance)
    plain = PeriodicFeatures(4, sigma=0.3, random_state=1, include_original=False).fit(X)
    kept = np.tile(np.arange(9) > 0, 3)
    assert np.array_equal(plain.transform(X), found[:, kept])


def test_frequencies_have_their_spread_and_repeat_with_a_seed() -> None:
    X = np.zeros((2, 40))
    waves = PeriodicFeatures(50, sigma=0.1, random_state=3).fit(X)
    # the standard deviation of k normal numbers is known to 1 / sqrt(2 k): five of them
    assert abs(waves.frequencies_.std() / 0.1 - 1) < 5 / np.sqrt(2 * waves.frequencies_.size)
    again, other = clone(waves).fit(X), clone(waves).set_params(random_state=4).fit(X)
    assert np.array_equal(again.frequencies_, waves.frequencies_)
    assert not np.array_equal(other.frequencies_, waves.frequencies_)


def test_whole_turns_do_not_matter_where_they_are_exact() -> None:
    waves = PeriodicFeatures(1, random_state=0).fit([[0.0]])
    waves.frequencies_ = np.array([[0.25]])
    found = waves.transform([[1.0], [4e12 + 1]])[:, 1:]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0, 0] == 1


# --- piecewise linear -----------------------------------------------------------------------------


def code(x: float, edges: Array) -> list[float]:
    """Return the code as the paper's formula has it."""
    last = len(edges) - 2
    parts = []
    for t in range(last + 1):
        part = (x - edges[t]) / (edges[t + 1] - edges[t])
        part = max(part, 0.0) if t > 0 else part
        parts.append(min(part, 1.0) if t < last else part)
    return parts


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bins", ["quantiles", "classes", "values"])
def test_codes_are_the_formulas_within_and_beyond_the_edges(bins: str, dtype: Any) -> None:
    X = samples().astype(dtype)
    y = (X[:, 0] > 0.3).astype(int) + (X[:, 1] > 500)
    features = PiecewiseLinearFeatures(6, bins=bins, min_samples_leaf=20).fit(X, y)
    new = np.concatenate([X[:20], X[:20] * 3, -X[:20]])
    found = features.transform(new)
    expected = [
        [part for x, edges in zip(row, features.edges_, strict=True) for part in code(x, edges)]
        for row in new.astype(float)
    ]
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=2 * np.finfo(dtype).eps, atol=0)


def test_quantiles_put_as_many_rows_into_each_bin() -> None:
    X = np.random.default_rng(0).permutation(120.0 * np.arange(120)).reshape(-1, 1)
    edges = PiecewiseLinearFeatures(8).fit(X).edges_[0]
    assert len(edges) == 9 and edges[0] == X.min() and edges[-1] == X.max()
    counts = np.histogram(X, edges)[0]
    assert counts.min() >= 14 and counts.max() <= 16  # 15 but for the edges' own rows


def test_equal_edges_are_one_and_a_constant_column_has_the_code_0() -> None:
    X = np.column_stack([np.repeat([0.0, 1, 2], 10), np.full(30, 7.0)])
    features = PiecewiseLinearFeatures(10).fit(X)
    assert features.edges_[0].tolist() == [0, 1, 2] and features.edges_[1].tolist() == [7, 7]
    assert features.transform([[1.5, 9]]).tolist() == [[1, 0.5, 0]]
    assert features.inverse_transform([[1, 0.5, 0]]).tolist() == [[1.5, 7]]


@pytest.mark.parametrize("bins", ["classes", "values"])
def test_a_trees_bins_lie_where_the_target_changes(bins: str) -> None:
    x = np.linspace(0, 10, 401)
    y = ((x > 2) & (x < 7)).astype(int)
    features = PiecewiseLinearFeatures(3, bins=bins, min_samples_leaf=5).fit(x[:, None], y)
    # two thresholds, each in the middle between two neighbours, 0.025 apart
    np.testing.assert_allclose(features.edges_[0], [0, 2.0125, 6.9875, 10], rtol=1e-12)
    # far from 0 float32, in which trees compare, would see one number
    far = PiecewiseLinearFeatures(3, bins=bins, min_samples_leaf=5).fit(x[:, None] + 1e9, y)
    np.testing.assert_allclose(far.edges_[0] - 1e9, [0, 2.0125, 6.9875, 10], atol=2e-7)


@pytest.mark.parametrize("bins", ["quantiles", "classes", "values"])
def test_numbers_come_back_from_their_codes(bins: str) -> None:
    X = samples()
    y = (X[:, 0] > 0).astype(int)
    features = PiecewiseLinearFeatures(7, bins=bins, min_samples_leaf=9).fit(X, y)
    new = np.concatenate([X, 2 * X, -X])
    back = features.inverse_transform(features.transform(new))
    # each code is known to a rounding; they are weighted by widths, which sum to the range
    size = np.abs(new).max(axis=0) + np.array([np.abs(edges).max() for edges in features.edges_])
    assert (np.abs(back - new) <= 16 * np.finfo(float).eps * size).all()


def test_missing_cells_stay_missing_and_do_not_count() -> None:
    X = samples()
    y = (X[:, 0] > 0).astype(int)
    gaps = np.concatenate([X, np.full((9, 3), np.nan)])
    for bins in ("quantiles", "classes"):
        settings: dict[str, Any] = {"bins": bins, "n_bins": 5}
        plain = PiecewiseLinearFeatures(**settings).fit(X, y)
        other = PiecewiseLinearFeatures(**settings).fit(gaps, np.append(y, np.zeros(9, int)))
        for a, b in zip(plain.edges_, other.edges_, strict=True):
            assert np.array_equal(a, b)
        assert np.isnan(other.transform(gaps)[-9:]).all()
        assert np.isnan(other.inverse_transform(other.transform(gaps))[-9:]).all()
    waves = PeriodicFeatures(2, random_state=0).fit_transform(gaps)
    assert np.isnan(waves[-9:]).all() and np.isfinite(waves[:-9]).all()
    nothing = PiecewiseLinearFeatures().fit(np.full((4, 1), np.nan))
    assert nothing.transform([[3.0]]).tolist() == [[0.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_largest_numbers_have_finite_features(dtype: Any) -> None:
    largest = np.finfo(dtype).max
    X = np.array([[-largest], [0], [1], [largest]], dtype=dtype)
    for features in (PiecewiseLinearFeatures(2), PeriodicFeatures(2, random_state=0)):
        assert np.isfinite(features.fit_transform(X)).all()
        assert np.isfinite(features.fit(X[1:3]).transform(X)).all()
    scaler = RobustSmoothScaler().fit(np.arange(5, dtype=dtype)[:, None])
    assert np.isfinite(scaler.inverse_transform(scaler.transform(X))).all()


# --- both -----------------------------------------------------------------------------------------


def test_names_say_whose_features_they_are() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2, 3, 4], "b": [0.0, 1, 5, 7]})
    waves = PeriodicFeatures(1, random_state=0).set_output(transform="pandas").fit_transform(table)
    assert list(waves.columns) == ["a", "a_sin1", "a_cos1", "b", "b_sin1", "b_cos1"]
    bins = PiecewiseLinearFeatures(2).set_output(transform="pandas").fit_transform(table)
    assert list(bins.columns) == ["a_bin1", "a_bin2", "b_bin1", "b_bin2"]
    with pytest.raises(ValueError, match="same order"):
        PiecewiseLinearFeatures(2).fit(table).transform(table[["b", "a"]])


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (PeriodicFeatures(0), "n_frequencies"),
        (PeriodicFeatures(sigma=0), "sigma"),
        (PeriodicFeatures(include_original="yes"), "include_original"),
        (PiecewiseLinearFeatures(0), "n_bins"),
        (PiecewiseLinearFeatures(bins="trees"), "bins"),
        (PiecewiseLinearFeatures(bins="values", min_samples_leaf=0), "min_samples_leaf"),
        (PiecewiseLinearFeatures(bins="classes"), "y to be passed"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(made: Any, name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        made.fit(samples())


def test_codes_of_another_width_are_refused() -> None:
    features = PiecewiseLinearFeatures(3).fit(samples())
    with pytest.raises(ValueError, match="expected 9 columns of codes, got 3"):
        features.inverse_transform(samples())


def test_a_scalers_way_back() -> None:
    X = np.column_stack([samples()[:, :2], np.full(300, 7.0)])
    scaler = RobustSmoothScaler().fit(X)
    back = scaler.inverse_transform(scaler.transform(X))
    z = scaler.scale_ * (X - scaler.center_)
    # dx / dx' = (1 + (z / 3)^2)^(3/2) / s times a few roundings of x' and of x
    slope = np.divide((1 + (z / 3) ** 2) ** 1.5, scaler.scale_, where=scaler.scale_ > 0, out=0 * z)
    bound = 16 * np.finfo(float).eps * (3 * slope + np.abs(X))
    assert (np.abs(back - X) <= bound).all()
    assert (back[:, 2] == 7).all()
    with pytest.raises(ValueError, match="expected 3 columns, got 2"):
        scaler.inverse_transform(X[:, :2])
