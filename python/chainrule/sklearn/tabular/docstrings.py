"""The part of the tabular estimators' documentation that both share."""

from __future__ import annotations

from typing import TypeVar

PARAMETERS = """preset : {"small"}
        The small variant of RealMLP: robust scaling, a learned factor a column, one-hot
        categories, four cycles of the rate, the best of all epochs.
    hidden_layer_sizes : int or sequence of int
        Neurons of each hidden layer; ``()`` for none.
    activation : str, class or object, or one a hidden layer
        "auto": "selu" for classes, "mish" for values. Else any of the catalogue's.
    categorical_features : "from_dtype", None or sequence
        "from_dtype": columns of categories, texts and truth values, and columns of objects that
        are not all numbers. Else names, places or a mask; the others must be numbers then.
    learning_rate : float or "auto"
        The largest rate of a cycle; "auto": 0.04 for classes, 0.07 for values.
    epochs : int
        All are run; the best is kept, of equal ones the last.
    batch_size : int or "auto"
        Samples of a batch, at most all; a smaller last one is left out. "auto" is 256.
    dropout, weight_decay : float or "auto"
        "auto": 0. Else the share dropped behind each activation, and the decoupled decay of
        weights; both stay for half the steps, then go down to 0.
    ensemble : int
        Members; their predictions are averaged.
    combine : {"bag", "refit"}
        "bag": each member trains without one of ``max(ensemble, 1 / validation_fraction)`` parts,
        which choose its epoch. "refit": in the end each trains on all rows, up to the epoch that
        is best for the mean of their curves.
    validation_fraction : float
        The share held back by a single member. Parts and shares are stratified by class.
    random_state : int, RandomState or None
        The first member's seed, if it is an int; the others are drawn from it.
    n_threads : int, optional
        At most so many threads: a core a member, all for a single one. Bits do not depend on it.
    callbacks : sequence
        See `chainrule.Callback`; each of several members has copies.
    verbose : bool or int
        Print a line for each member. A bar shows where somebody looks."""

ATTRIBUTES = """members_ : list of Member
        Each with its `encoding` and its net, `model`, for encoded rows.
    seeds_ : list of int
        Member k has the bits of a fit with ``random_state=seeds_[k]`` on its rows, with those held
        out as X_val.
    best_epoch_ : ndarray (k,)
        Epochs whose parameters the members have, from 1.
    validation_curve_ : ndarray (k, epochs)
        The metric of held-out rows after each epoch; NaN where a fit was stopped before.
    n_features_in_, feature_names_in_
        As in scikit-learn."""

NOTES = """Missing numbers become the median, with a further input that marks them where the fit saw
    any. Missing and new categories are inputs of 0. Nets compute in float32. Ctrl-C ends a fit with
    what is there, and a warning. Names of columns must be those of the fit, in its order. The
    preprocessing takes no weights into account."""

Class = TypeVar("Class", bound=type)


def documented(kind: Class) -> Class:
    """Put the shared text into a class's docstring; without one (``python -OO``) do nothing."""
    if kind.__doc__ is not None:
        kind.__doc__ = kind.__doc__.format(
            parameters=PARAMETERS, attributes=ATTRIBUTES, notes=NOTES
        )
    return kind
