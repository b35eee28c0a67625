"""The estimators of the tabular benchmark, all with their defaults, one thread each."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

MLP = "scikit-learn's MLP"
LIGHTGBM, CATBOOST = "LightGBM", "CatBoost"
PEER = "pytabkit, small"
BESIDE_PEER = "chainrule, small, as pytabkit"
MEMBERS = 5
REFITTED = ", refitted"


class Contestant(NamedTuple):
    """An estimator for a seed and X, how words must come for it, and whether it is given rows held.

    `words` is "texts", "categories" (pandas') or "filled" (texts, without missing cells).
    `held`: a fifth of the training rows is given as X_val, the same for all who want it.
    """

    make: Callable[[int, Any], Any]
    words: str = "texts"
    held: bool = False


def as_wanted(X: Any, words: str) -> Any:
    """Return a frame whose words are as an estimator wants them."""
    names = X.select_dtypes(exclude="number").columns
    if words == "categories":
        return X.astype(dict.fromkeys(names, "category"))
    if words == "filled":
        return X.assign(**{name: X[name].astype(object).fillna("missing") for name in names})
    return X


def prepared(estimator: Any) -> Any:
    """Return scikit-learn's usual pipeline before an estimator."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_column_selector(dtype_include="number")
    words = make_column_selector(dtype_exclude="number")
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (encode, words),
    )
    return make_pipeline(columns, estimator)


def perceptron(classes: bool) -> Contestant:
    """Return scikit-learn's perceptron in its pipeline, its target standardised."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    def make(seed: int, X: Any) -> Any:
        if classes:
            return prepared(MLPClassifier(random_state=seed))
        net = prepared(MLPRegressor(random_state=seed))
        return TransformedTargetRegressor(net, transformer=StandardScaler())

    return Contestant(make)


def trees(classes: bool) -> dict[str, Contestant]:
    """Return the boosted trees that are installed."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    ours = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    found = {
        "HistGradientBoosting": Contestant(lambda seed, X: ours(random_state=seed), "categories")
    }
    if find_spec("lightgbm") is not None:
        import lightgbm

        light = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
        found[LIGHTGBM] = Contestant(
            lambda seed, X: light(random_state=seed, verbose=-1, n_jobs=1), "categories"
        )
    if find_spec("catboost") is not None:
        import catboost

        cat = catboost.CatBoostClassifier if classes else catboost.CatBoostRegressor

        def made(seed: int, X: Any) -> Any:
            words = list(X.select_dtypes(exclude="number").columns)
            return cat(
                random_seed=seed,
                verbose=False,
                thread_count=1,
                cat_features=words,
                allow_writing_files=False,
            )

        found[CATBOOST] = Contestant(made, "filled")
    return found


def nets(classes: bool, presets: list[str]) -> dict[str, Contestant]:
    """Return ours: ``preset`` is one net, ``preset*5`` five members, ``preset+refit`` one net that
    is trained once more on all rows, for as many epochs as were best without those held out.
    """
    from chainrule.sklearn import TabularClassifier, TabularRegressor

    kind = TabularClassifier if classes else TabularRegressor
    found = {}
    for text in presets:
        kept, _, refit = text.partition("+")
        preset, _, count = kept.partition("*")
        settings: dict[str, Any] = {"preset": preset, "ensemble": int(count or 1), "n_threads": 1}
        label = f"chainrule, {preset}" + (f", {count} members" if count else "")
        if refit:
            settings["combine"] = "refit"
            label += REFITTED
        found[label] = Contestant(
            lambda seed, X, settings=settings: kind(random_state=seed, **settings)  # type: ignore[misc]
        )
    return found


def peers(classes: bool) -> dict[str, Contestant]:
    """Return pytabkit's small variant where it is installed, and ours by its rules.

    Both get the same rows to choose their epoch by, and choose it by the share of errors.
    """
    if find_spec("pytabkit") is None or find_spec("torch") is None:
        return {}
    import pytabkit

    from chainrule.sklearn import TabularClassifier, TabularRegressor

    theirs = pytabkit.RealMLP_TD_S_Classifier if classes else pytabkit.RealMLP_TD_S_Regressor
    ours = TabularClassifier if classes else TabularRegressor
    metric = {"metric": "accuracy"} if classes else {}
    return {
        PEER: Contestant(
            lambda seed, X: theirs(random_state=seed, device="cpu", n_threads=1),
            "categories",
            held=True,
        ),
        BESIDE_PEER: Contestant(
            lambda seed, X: ours(preset="small", random_state=seed, n_threads=1, **metric),
            held=True,
        ),
    }


def contestants(task: str, presets: list[str]) -> dict[str, Contestant]:
    """Return the estimators of a task by name."""
    classes = task == "classes"
    found = {MLP: perceptron(classes), **trees(classes)}
    return {**found, **nets(classes, presets), **peers(classes)}


def held_back(y: Any, seed: int, classes: bool) -> tuple[Any, Any]:
    """Return places that are left, and a fifth for those who are given rows held."""
    from sklearn.model_selection import train_test_split

    stratify = y if classes else None
    kept, held = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=seed, stratify=stratify
    )
    return kept, held
