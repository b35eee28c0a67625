"""One training step of a model looked at: `Model.explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .flat import FlatModel

if TYPE_CHECKING:
    from ..seeing.explanation import Explanation


class ExplainedModel(FlatModel):
    """What shows how a model learns, and leaves it as it is."""

    def explain(
        self, X: Any, y: Any, *, sample_weight: Any = None, clip_norm: float | None = None
    ) -> Explanation:
        """Return what one step of ``train(X, y)`` does, layer by layer; the model stays as it is.

        The step is that of the compiled plan with all samples as one batch, observed in its own
        engine on copies of the parameters; layer by layer where the model has no plan. Below the
        lowest layer that learns, where the plan needs no gradients, the classes go on.

        Parameters
        ----------
        X : array_like (n, d)
        y : array_like
            Class labels (n,), targets (n, m), or (n,) for one regression output.
        sample_weight : array_like (n,), optional
        clip_norm : float, optional
            As in `train`.

        Returns
        -------
        Explanation
            ``print(e)`` shows a table and findings; ``e[k]`` has the arrays of the model's layer
            k, from 0. Without an optimizer there are gradients and no step.

        Raises
        ------
        TypeError, ValueError
            Samples or arguments that do not fit.
        """
        from ..seeing.explanation import Explanation
        from ..training.arguments import checked_clip_norm
        from ..training.observed import observed_step

        clip = checked_clip_norm(clip_norm)
        with self._used_by("explain"):
            return Explanation(observed_step(self, X, y, sample_weight, clip))
