"""The part of the tabular estimators' documentation that both share."""

from __future__ import annotations

from typing import TypeVar

PARAMETERS = """preset : {"default", "small", "tabm-mini"}
        What "auto" stands for. All scale robustly, have a learned factor a column, four cycles of
        the rate, and keep the best of all epochs. "small" is RealMLP's small variant. "default" is
        the full one: learned periodic features of numbers and tables of categories, activations
        of which each neuron learns its share, dropout, decay, first parameters from the data.
        "tabm-mini": each member is the mean of eight small nets that share all weights but the
        factors and the last layer, which takes eight times as long.
    hidden_layer_sizes : int or sequence of int
        Neurons of each hidden layer; ``()`` for none.
    activation : str, class or object, or one a hidden layer
        "auto": "selu" for classes, "mish" for values. Else any of the catalogue's.
    numeric_embedding : {"auto", "periodic", None}
        "periodic": a column x of numbers becomes ``(cos(2 pi f x + p) . W + b, x)`` with sixteen
        learned frequencies f and phases p, four columns. "auto": so it is with "default" alone.
    categorical_features : "from_dtype", None or sequence
        "from_dtype": columns of categories, texts and truth values, and columns of objects that
        are not all numbers. Else names, places or a mask; the others must be numbers then.
    max_onehot, embedding_size : int
        With "default" categories of a column with more than `max_onehot` levels are rows of a
        learned table, `embedding_size` wide; else each level has an input of its own.
    learning_rate : float or "auto"
        The largest rate of a cycle; "auto": 0.04 for classes, for values 0.2 with "default", else
        0.07.
    epochs : int
        All are run; the best is kept, of equal ones the last.
    batch_size : int or "auto"
        Samples of a batch, at most all; a smaller last one is left out. "auto" is 256.
    dropout, weight_decay : float or "auto"
        The share dropped behind each activation, and the decoupled decay of weights; both stay for
        half the steps, then go down to 0. "auto": 0.15 and 0.02 with "default", else 0.
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
        Each with its `encoding` and, for encoded rows, its net, or those that share their weights,
        `models`.
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
