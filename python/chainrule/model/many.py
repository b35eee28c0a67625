"""Many models in one call: `fit_many` trains them beside each other, as many as there are cores."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, as_generator
from ..catalogue import own_class
from ..errors import placed, sizes_of
from ..frames import check_names
from ..history import History
from ..layers.parameters import slots_of
from ..training.arguments import checked_best_epoch, checked_callbacks
from ..training.beginning import new_generator
from ..training.company import Company, failure_of, run_jobs
from ..training.kept import lent_plans
from ..training.loop import Loop
from ..training.preflight import checked_request
from ..training.progress import someone_is_looking
from ..training.request import TrainingRequest
from .model import Model

__all__ = ["fit_many"]

OF_EACH = ("rng", "callbacks")  # one for each model
NOT_TAKEN = ("comm", "print_every", "X", "y", "self")


class Training(NamedTuple):
    """A model with what `train` was asked for, checked."""

    model: Model
    request: TrainingRequest
    callbacks: list[Any]


def fit_many(
    models: Sequence[Model],
    X: Any,
    y: Any,
    *,
    rng: Any = None,
    callbacks: Any = None,
    progress: bool | None = None,
    **train: Any,
) -> list[History]:
    """Train many models on the same samples, and return their histories.

    Each ends with the very bits of ``models[k].train(X, y, rng=rng[k], callbacks=callbacks[k],
    **train)``. Threads of Python, as many as `get_num_threads` tells, take the models in their
    order; the core computes without Python's lock. The samples are checked once for all models of
    one form.

    Parameters
    ----------
    models : sequence of Model
        Different ones, of any sizes, that share nothing which training changes: no layer,
        parameter, loss, optimizer, accuracy or generator.
    X, y : array_like
        As `Model.train` takes them.
    rng : sequence, optional
        A seed or a Generator for each model, or None.
    callbacks : sequence, optional
        For each model what `train` takes: a callback serves one model. They run in the threads.
    progress : bool, optional
        One bar over the steps of all models: forced, silenced, or where someone is looking.
    **train
        Anything else that `Model.train` takes, but for `print_every` and `comm`; the same for all.

    Returns
    -------
    list of History

    Raises
    ------
    TypeError, ValueError
        Data or arguments that do not fit, models that share something; nothing has changed then.
    Exception
        What the training of a model has raised, with ``models[k]`` in its text or in a note; of
        several the one of the first model. The other models in progress end with their epochs, and
        those that had not begun are as they were.
    KeyboardInterrupt
        When the models in progress have finished their epochs; Ctrl-C again ends them after the
        step in progress.
    """
    found = models_of(models)
    rngs = each_of(rng, "rng", len(found))
    called = each_of(callbacks, "callbacks", len(found))
    settings = settings_of(train)
    check_apart(found, rngs, called)
    trainings = list(prepared(found, X, y, rngs, called, settings))
    steps = sum(each.request.epochs * each.request.steps for each in trainings)
    if progress is None:
        progress = steps > 0 and someone_is_looking()
    company = Company(steps, len(found), progress)
    jobs = [partial(fit, company, place, each) for place, each in enumerate(trainings)]
    try:
        futures, interruption = run_jobs(jobs, None, company.end)
    finally:
        company.close()
    errors = [error for error in map(failure_of, futures) if error is not None]
    if interruption is not None:
        raise interruption from (errors[0] if errors else None)
    if errors:
        raise errors[0]
    return [future.result() for future in futures]


def fit(company: Company, place: int, training: Training) -> History:
    """Train one model, in a thread; its errors name it."""
    model, request, callbacks = training
    try:
        with model._used_by("train", alone=True), lent_plans(model):
            return Loop(model, request, None, False, callbacks, company).run()
    except Exception as error:
        placed(error, f"models[{place}]")
        raise


# --- arguments ------------------------------------------------------------------------------------


def models_of(models: Any) -> list[Model]:
    """Return the models as a list."""
    try:
        found = list(models)
    except TypeError:
        raise TypeError(f"models: expected a sequence of Model, got {models!r}") from None
    for place, model in enumerate(found):
        if not isinstance(model, Model):
            raise TypeError(f"models[{place}]: expected a Model, got {model!r}")
    return found


def each_of(given: Any, name: str, count: int) -> list[Any]:
    """Return what was given for each model."""
    if given is None:
        return [None] * count
    expected = f"{name}: expected one for each of {count} models"
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str | bytes):
        raise TypeError(f"{expected}, got {given!r}")
    if len(given) != count:
        raise ValueError(f"{expected}, got {len(given)}")
    return list(given)


def settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments that a request is made of; those of `Model.train`, by its defaults."""
    known = inspect.signature(Model.train).parameters
    taken = [name for name in known if name not in (*OF_EACH, *NOT_TAKEN)]
    for name in given:
        if name not in taken:
            raise TypeError(f"fit_many: expected arguments among {', '.join(taken)}; got {name!r}")
    settings = {name: given.get(name, known[name].default) for name in taken}
    del settings["progress"]
    settings["check_finite_data"] = settings.pop("check_finite")
    return settings


def prepared(
    models: list[Model],
    X: Any,
    y: Any,
    rngs: list[Any],
    callbacks: list[Any],
    settings: dict[str, Any],
) -> Iterator[Training]:
    """Yield each model with its request; the samples are checked once for each form of a net."""
    known: dict[Any, TrainingRequest] = {}
    if y is None:
        raise TypeError("y: expected targets, got none; fit_many takes arrays and memory maps")
    for place, (model, rng, given) in enumerate(zip(models, rngs, callbacks, strict=True)):
        try:
            with model._used_by("train", alone=True):
                model._prepare(parts=("loss", "optimizer"))
                form = form_of(model)
                called = checked_callbacks(given)
                if form is not None and form in known:
                    check_names(X, model.feature_names, "X")
                    request = again(model, known[form], rng, called)
                else:
                    asked = {**settings, "rng": rng, "callbacks": called}
                    request = checked_request(model, X, y, **asked)
                    if form is not None:
                        known[form] = request
        except Exception as error:
            placed(error, f"models[{place}]")
            raise
        if request.shuffle and request.rng is None and model.rng is None:
            request.spare = new_generator()  # numpy.random is asked in the models' order
        yield Training(model, request, called)


def again(
    model: Model, request: TrainingRequest, rng: Any, callbacks: list[Any]
) -> TrainingRequest:
    """Return the request of a model whose form is that of one before."""
    validated = request.validation is not None
    return replace(
        request,
        rng=None if rng is None else as_generator(rng),
        best_epoch=checked_best_epoch(request.best_epoch, model, validated, callbacks),
        spare=None,
    )


def form_of(model: Model) -> Any:
    """Return what the checks of samples ask of a model; None where parts of the user's own do."""
    parts = [*model.layers, model.loss]
    kinds = [own_class(part) for part in parts]
    if any(kind is None for kind in kinds):
        return None
    settings = [
        tuple(repr(getattr(part, name)) for name in kind.settings)
        for part, kind in zip(parts, kinds, strict=True)
        if kind is not None
    ]
    sizes = tuple((sizes_of(layer), str(getattr(layer, "dtype", ""))) for layer in model.layers)
    return tuple(kinds), tuple(settings), sizes, model.accuracy is None


# --- what models must not share -------------------------------------------------------------------


def check_apart(models: list[Model], rngs: list[Any], callbacks: list[Any]) -> None:
    """Refuse models that share something which training changes.

    Raises
    ------
    ValueError
        Naming two models and what they share.
    """
    owners: dict[int, int] = {}
    for place, model in enumerate(models):
        parts: list[tuple[str, Any]] = [("model", model)]
        parts += [(f"layer {number}", layer) for number, layer in enumerate(model.layers, 1)]
        parts += [(kind, getattr(model, kind)) for kind in ("loss", "optimizer", "accuracy")]
        parts += [("generator", bits_of(model.rng)), ("generator", bits_of(rngs[place]))]
        given = (
            callbacks[place] if isinstance(callbacks[place], list | tuple) else [callbacks[place]]
        )
        parts += [("callback", callback) for callback in given]
        for name, part in parts:
            if part is None:
                continue
            owner = owners.setdefault(id(part), place)
            if owner != place:
                raise ValueError(
                    f"models[{place}]: expected a {name} of its own, got that of models[{owner}]"
                )
    check_arrays(models)


def check_arrays(models: list[Model]) -> None:
    """Refuse parameters of different models that share memory."""
    spans = sorted(
        (*span_of(array), place)
        for place, model in enumerate(models)
        for layer in model.layers
        for array in (getattr(layer, slot.name, None) for slot in slots_of(layer))
        if isinstance(array, np.ndarray) and array.size
    )
    end, owner = 0, -1
    for low, high, place in spans:
        if low < end and place != owner:
            one, other = sorted((owner, place))
            raise ValueError(
                f"models[{other}]: expected parameters of its own, got memory of models[{one}]"
            )
        if high > end:
            end, owner = high, place


def span_of(array: Array) -> tuple[int, int]:
    """Return the addresses of an array's first byte, and of the one behind its last."""
    low = high = array.ctypes.data
    for size, stride in zip(array.shape, array.strides, strict=True):
        reach = (size - 1) * stride
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high + array.itemsize


def bits_of(rng: Any) -> Any:
    """Return what a generator draws its bits from; None for a seed."""
    if isinstance(rng, np.random.Generator):
        return rng.bit_generator
    return rng if isinstance(rng, np.random.BitGenerator) else None
