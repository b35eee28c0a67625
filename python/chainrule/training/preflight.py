"""Every check of `Model.train`, made before anything changes: a request, or an error."""

from __future__ import annotations

from typing import Any

from ..arrays import as_number, as_real
from ..frames import column_names
from ..shapes import output_width
from .arguments import checked_batch_size, checked_best_epoch, checked_settings
from .request import TrainingRequest
from .samples import checked_samples, checked_validation
from .targets import model_dtype
from .weights import check_some_weight, checked_weights, class_factors


def split_place(share: Any, n: int) -> int:
    """Return how many of n samples are left for training: the first ``n (1 - share)``."""
    share = as_number(share, "validation_split", below=1.0)
    place = int(n * (1.0 - share) + 1e-9 * n)  # 10 * (1 - 0.9) is a little below 1
    if not 0 < place < n:
        raise ValueError(
            f"validation_split: expected samples on both sides, got {place} of {n} for training"
        )
    return place


def checked_request(
    model: Any,
    X: Any,
    y: Any,
    *,
    batch_size: Any,
    validation_data: Any,
    validation_split: Any,
    sample_weight: Any,
    class_weight: Any,
    best_epoch: Any,
    check_finite_data: bool,
    callbacks: list[Any],
    **settings: Any,
) -> TrainingRequest:
    """Return the request that all these arguments make, or refuse them.

    Without y, X is a source of blocks: see source_preflight.py.
    """
    if y is None:
        from .source_preflight import checked_source_request

        return checked_source_request(
            model,
            X,
            batch_size=batch_size,
            validation_data=validation_data,
            validation_split=validation_split,
            sample_weight=sample_weight,
            class_weight=class_weight,
            best_epoch=best_epoch,
            check_finite_data=check_finite_data,
            callbacks=callbacks,
            **settings,
        )
    checked = checked_settings(**settings)
    inputs, targets = checked_samples(model, X, y, check_finite_data)
    weight = checked_weights(sample_weight, len(inputs))
    validation = None
    if validation_split is not None:
        if validation_data is not None:
            raise ValueError("validation_split: expected no validation_data with it, got both")
        place = split_place(validation_split, len(inputs))
        held = None if weight is None else weight[place:]
        check_some_weight(held, "sample_weight of the validation's samples")
        validation = inputs[place:], targets[place:], held
        inputs, targets = inputs[:place], targets[:place]
        weight = None if weight is None else weight[:place]
    elif validation_data is not None:
        validation = checked_validation(model, validation_data, targets, check_finite_data)
    if class_weight is not None:
        width = output_width(model.layers)
        own = as_real(y, "y")[: len(inputs)]
        factors = class_factors(class_weight, own, None if width is None else width[1])
        weight = factors if weight is None else weight * factors
    request = TrainingRequest(
        X=inputs,
        y=targets,
        batch_size=checked_batch_size(batch_size, len(inputs)),
        validation=validation,
        sample_weight=weight,
        best_epoch=checked_best_epoch(best_epoch, model, validation is not None, callbacks),
        feature_names=column_names(X),
        dtype=model_dtype(model.layers),
        check_finite=check_finite_data,
        **checked,
    )
    request.accumulate = min(request.accumulate, request.steps)
    if validation is not None:
        request.validation_batch_size = checked_batch_size(batch_size, len(validation[0]))
        request.mixes_targets = validation[1].ndim != targets.ndim
    rows = len(inputs) if request.shuffle else request.steps * request.batch_size
    check_some_weight(None if weight is None else weight[:rows], "sample_weight")
    return request
