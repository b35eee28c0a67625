"""Every check of a training on a source, made on its first block before anything changes.

The blocks that follow are checked as they come, in the thread that reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..arrays import Array, as_real
from ..data import as_source
from ..errors import labelled
from ..frames import column_names
from ..shapes import output_width
from .arguments import checked_batch_size, checked_best_epoch, checked_settings
from .samples import checked_samples, checked_validation
from .source_request import MOST_ROWS, Block, SourceRequest, close
from .targets import checked_targets, model_dtype
from .weights import checked_weights, class_factors, class_weights


def checked_source_request(
    model: Any,
    source: Any,
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
) -> SourceRequest:
    """Return the request that all these arguments make, or refuse them.

    Raises
    ------
    TypeError, ValueError
        Arguments that need all samples at once, blocks that do not fit, no sample.
    """
    checked = checked_settings(**settings)
    source = as_source(source)
    refuse_what_needs_arrays(source, checked, sample_weight, validation_split)
    width = output_width(model.layers)
    check = BlockCheck(model, source, None if width is None else width[1])
    if class_weight is not None:
        check.class_weight = weights_of_classes(class_weight, source, check.n_outputs)
    blocks, given, first = begun(source, check, check_finite_data)
    check.first = first
    validation = None
    if validation_data is not None:
        validation = checked_validation(model, validation_data, first.y, check_finite_data)
    size = checked_batch_size(batch_size, first.n if batch_size is None else MOST_ROWS)
    if source.n_rows is not None:
        size = min(size, source.n_rows)
    whole = None
    if source.targets is not None and hasattr(model.accuracy, "precision"):
        whole = checked_targets(model, source.targets, source.n_rows, "y")
    request = SourceRequest(
        X=first.X,
        y=first.y,
        batch_size=size,
        validation=validation,
        sample_weight=first.weight,
        best_epoch=checked_best_epoch(best_epoch, model, validation is not None, callbacks),
        feature_names=column_names(given[0]),
        dtype=model_dtype(model.layers),
        source=source,
        check=check,
        first=None if checked["shuffle"] else resumed(given, blocks),
        whole_targets=whole,
        finite=check_finite_data,
        **checked,
    )
    if request.known_steps is not None:
        if request.known_steps == 0:
            raise ValueError(
                f"source: expected a whole batch of {size} with drop_last, got {source.n_rows} rows"
            )
        request.accumulate = min(request.accumulate, request.known_steps)
    request.accumulate = min(request.accumulate, MOST_ROWS // size)
    if validation is not None:
        request.validation_batch_size = min(size, len(validation[0]))
        request.mixes_targets = validation[1].ndim != first.y.ndim
    return request


def refuse_what_needs_arrays(
    source: Any, checked: dict[str, Any], sample_weight: Any, validation_split: Any
) -> None:
    """Refuse arguments that a source has no place for."""
    if sample_weight is not None:
        raise ValueError("sample_weight: expected None with a source, which yields (X, y, weights)")
    if validation_split is not None:
        raise ValueError(
            "validation_split: expected None with a source; give validation_data, which may be "
            "memory maps"
        )
    if checked["shuffle"] and not source.shuffles:
        raise ValueError(
            "shuffle: expected False with a source that has an order of its own; "
            "chainrule.data.Blocks, Files and Arrow shuffle"
        )
    if checked["epochs"] > 1 and source.once:
        raise ValueError(
            f"epochs: expected 1 with an iterator, which yields its blocks once, got "
            f"{checked['epochs']}; give the function that makes it, or a list"
        )


def weights_of_classes(class_weight: Any, source: Any, n_outputs: int | None) -> Any:
    """Return class weights as a dict; balanced ones need all targets."""
    if not isinstance(class_weight, str):
        return class_weight
    if source.targets is None:
        raise ValueError(
            "class_weight: expected a dict with a source that does not have all targets at hand, "
            f"got {class_weight!r}"
        )
    return class_weights(class_weight, as_real(source.targets, "y"), n_outputs)


def begun(source: Any, check: BlockCheck, finite: bool) -> tuple[Iterator[Any], Any, Block]:
    """Return the blocks behind the first one with samples, that one, and the same checked."""
    blocks = iter(source.blocks())
    with labelled("source: block 1"):
        for given in blocks:
            block = check(given, finite)
            if block is not None:
                return blocks, given, block
    raise ValueError("source: expected at least one sample, got none")


def resumed(given: Any, blocks: Iterator[Any]) -> Iterator[Any]:
    """Yield a block that was looked at, and those behind it."""
    try:
        yield given
        yield from blocks
    finally:
        close(blocks)


@dataclass
class BlockCheck:
    """Checks and converts what a source yields; the form is that of the first block."""

    model: Any
    source: Any
    n_outputs: int | None
    class_weight: Any = None
    first: Block | None = None

    def __call__(self, given: Any, finite: bool) -> Block | None:
        """Return a block; None for one without samples.

        Raises
        ------
        TypeError, ValueError
            No pair or triple of arrays that fit the model and each other, or of another form.
        """
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            got = f"{len(given)} entries" if isinstance(given, tuple | list) else repr(given)
            raise TypeError(f"expected (X, y) or (X, y, weights), got {got}")
        if hasattr(given[0], "__len__") and len(given[0]) == 0:
            return None
        X, y = checked_samples(self.model, given[0], given[1], finite)
        name = "weights"
        weight = checked_weights(given[2] if len(given) == 3 else None, len(X), name, some=False)
        if self.source.lends:  # its arrays may be filled anew while these are in use
            X, y = own(X), own(y)
            weight = None if weight is None else own(weight)
        if self.class_weight is not None:
            factors = class_factors(self.class_weight, given[1], self.n_outputs)
            weight = factors if weight is None else weight * factors
        block = Block(X, y, weight)
        self._compare(block)
        return block

    def _compare(self, block: Block) -> None:
        """Refuse a block of another form than the first one's."""
        first = self.first
        if first is None:
            return
        if block.X.shape[1:] != first.X.shape[1:]:
            raise ValueError(f"X: expected {shape(first.X)}, got {shape(block.X)}")
        if block.y.shape[1:] != first.y.shape[1:]:
            raise ValueError(f"y: expected {shape(first.y)}, got {shape(block.y)}")
        if (block.weight is None) != (first.weight is None):
            some = ["no weights", "weights"]
            expected, got = some[first.weight is not None], some[block.weight is not None]
            raise ValueError(f"expected {expected} as in the first block, got {got}")


def own(array: Array) -> Array:
    """Return an array that nobody else can write to."""
    return array.copy()


def shape(array: Array) -> str:
    """Return ``(n, 64)``."""
    return f"({', '.join(['n', *map(str, array.shape[1:])])}{',' * (array.ndim == 1)})"
