"""`check_gradient`: hand-written gradients judged as `gradcheck` judges those of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(22)
W = RNG.standard_normal((4, 3))
ONE = np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32)


def cubes(w: Any) -> Any:
    return (w**3).sum()


@pytest.mark.parametrize(
    "array", [W, W.astype(np.float32), W[0], np.array(2.5), W.tolist(), W.T, 1000 * W, 1e-3 * W,
              np.array([[[1, 2], [3, 4]]])], ids=lambda a: f"{np.shape(a)} {type(a).__name__}",
)  # fmt: skip
def test_right_gradients_are_right_at_any_array(array: Any) -> None:
    report = cr.check_gradient(cubes, lambda w: 3 * w**2, array)
    assert report, report
    (row,) = report.rows
    assert (row.array, row.way, row.checked) == ("array", "by hand", np.size(array))
    assert isinstance(report, type(cr.gradcheck(cr.Layer_Scale(2), np.ones((1, 2)))))


@pytest.mark.parametrize(
    ("gradient", "hint"),
    [
        (lambda w: w**2, "expected: multiply by 3"),
        (lambda w: -3 * w**2, "expected: multiply by -1"),
        (lambda w: 3 * w**2 / 4, r"multiply by n \(n = 4 samples\): divided by n once too often"),
        (lambda w: 6 * w**2, "expected: multiply by 1/2"),
        (lambda w: 3 * w**2 * 1.01, "expected: multiply by 0.990099"),
        (lambda w: (3 * w**2).T, r"expected the gradient \(4, 3\), got \(3, 4\): transposed"),
        (lambda w: np.roll(3 * w**2, 1, axis=0), "the same numbers, shifted by -1 along axis 0"),
        (lambda w: None, r"expected the gradient \(4, 3\), got none"),
        (lambda w: 0 * w, "expected other numbers than 0"),
        (lambda w: w * np.nan, "expected finite numbers, got nan at"),
        (lambda w: "no", r"expected the gradient \(4, 3\), got str"),
        (lambda w: 3 * w**2 + ONE, r"1 of 12 entries differ, most at \(2, 1\)"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_wrong_gradient_is_wrong_and_gets_the_hint(gradient: Any, hint: str, dtype: Any) -> None:
    report = cr.check_gradient(cubes, gradient, W.astype(dtype))
    assert not report and report.rows[0].verdict == "WRONG"
    with pytest.raises(AssertionError, match=hint):
        assert report, report


def test_kinks_are_counted_apart() -> None:
    report = cr.check_gradient(lambda x: np.abs(x).sum(), np.sign, np.array([0.0, 1.0, -2.0]))
    assert report and (report.rows[0].checked, report.rows[0].at_kinks) == (2, 1)


def test_a_gradient_may_come_as_an_array() -> None:
    w = cr.Variable(W)
    (w**3).sum().backward()
    assert cr.check_gradient(cubes, w.grad, W)
    assert not cr.check_gradient(cubes, 2 * w.grad, W)
    assert not cr.check_gradient(cubes, w.grad.T, W)


def test_entries_beyond_the_drawn_ones_are_looked_at_too() -> None:
    array = RNG.standard_normal((30, 20))

    def planted(place: int) -> Any:
        def gradient(w: Any) -> Any:
            found = 3 * w**2
            found.flat[place] += 5
            return found

        return gradient

    for place in range(0, 600, 37):
        assert not cr.check_gradient(cubes, planted(place), array)
    assert cr.check_gradient(cubes, lambda w: 3 * w**2, array).rows[0].checked == 200
    assert cr.check_gradient(cubes, lambda w: 3 * w**2, array, full=True).rows[0].checked == 600


def test_a_random_function_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    report = cr.check_gradient(lambda x: rng.random() * x.sum(), np.ones_like, np.ones(3))
    assert not report and "is random" in str(report)
    mask = np.random.default_rng(0).random(3)
    assert cr.check_gradient(lambda x: (mask * x).sum(), lambda x: mask, np.ones(3))
    # numpy.random is put back before each call, and stands where it stood afterwards
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    drawn = cr.check_gradient(
        lambda x: (np.random.rand(3) * x).sum(),  # noqa: NPY002
        lambda x: np.random.rand(3),  # noqa: NPY002
        np.ones(3),
    )
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert not drawn or drawn.rows[0].checked == 3


def test_arrays_and_objects_of_the_caller_stay() -> None:
    array, kept = W.copy(), W.copy()

    class Cost:
        weights = W.astype(np.float32)

        def __call__(self, w: Any) -> Any:
            w += 0.0
            return float((w * self.weights).sum())

    cost = Cost()
    report = cr.check_gradient(cost, lambda w: cost.weights.astype(np.float64), array)
    assert report, report
    assert np.array_equal(array, kept) and cost.weights.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((3, cubes, W), TypeError, "check_gradient: function: expected a callable, got int"),
        ((cubes, None, W), TypeError, "check_gradient: gradient: expected real numbers, got None"),
        ((cubes, cubes, "w"), TypeError, "check_gradient: array: expected real numbers, got str"),
        ((cubes, cubes, []), ValueError, r"check_gradient: array: expected at least one entry"),
        ((np.tanh, np.tanh, W), TypeError, "check_gradient: function: expected a function that "
                                           "returns a number, got an array of shape"),
    ],
)  # fmt: skip
def test_what_is_refused(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cr.check_gradient(*arguments)
