"""L-BFGS: scipy's optimizer on the whole batch's loss and its compiled gradient."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..arrays import Array
from .construction import set_alpha
from .epochs import INTERRUPTED
from .gradients import Gradient
from .heads import Head, poisson_remainder
from .validation import Samples

CONVERGED = 0


def minimise(estimator: Any, head: Head, samples: Samples) -> None:
    """Minimise the estimator's loss over all samples at once, and leave the best parameters.

    Warns
    -----
    ConvergenceWarning
        The limit of iterations or of evaluations was reached first.
    """
    import scipy.optimize

    weight = samples.weight
    count = float(len(samples.X) if weight is None else weight.sum())
    remainder = 0.0
    if not estimator._classifies and estimator.loss == "poisson":
        remainder = float(np.average(poisson_remainder(samples.targets), weights=weight))
    # loss_factor * (data + penalty / loss_factor): one gradient serves both
    set_alpha(estimator.model_, estimator.alpha, count * head.loss_factor)
    gradient = Gradient(estimator.model_, samples)
    last = gradient.parameters()

    def objective(flat: Array) -> tuple[float, Array]:
        loss, slope = gradient(flat)
        return head.loss_factor * loss + remainder, head.loss_factor * slope

    def keep(intermediate_result: Any) -> None:
        last[:] = intermediate_result.x
        estimator.n_iter_ += 1
        estimator.loss_ = float(intermediate_result.fun)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")

    estimator.n_iter_ = 0
    options = {"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol}
    try:
        found = scipy.optimize.minimize(
            objective, last.copy(), method="L-BFGS-B", jac=True, options=options, callback=keep
        )
    except KeyboardInterrupt:
        gradient.take(last)
        warnings.warn(f"{type(estimator).__name__}: {INTERRUPTED}", stacklevel=4)
        return
    finally:
        set_alpha(estimator.model_, estimator.alpha)
    gradient.take(found.x)
    estimator.n_iter_ = min(int(found.nit), int(estimator.max_iter))
    estimator.loss_ = float(found.fun)
    if found.status != CONVERGED:
        warnings.warn(
            f"{type(estimator).__name__}: lbfgs has not converged after {found.nit} iterations "
            f"({found.message}); raise max_iter={estimator.max_iter}, or scale the samples",
            ConvergenceWarning,
            stacklevel=4,
        )
