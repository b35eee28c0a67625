"""A command on ranks of MPI: rank 0 does all but the fit, which all ranks do together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Session = Callable[[Callable[..., Any]], int]

FAILED = 2


def run_on_ranks(session: Session, fit: Callable[..., Any]) -> int:
    """Run a session that calls a fit once; return its exit code.

    Rank 0 reads, prints, writes and reports. The others wait for the fit's arguments, which they
    get from it, take part, and have nothing to say: an error is rank 0's to tell.
    """
    from ..mpi.ranks import Ranks, end_job_with_errors

    ranks = Ranks()
    end_job_with_errors()
    if not ranks.leads:
        return follow(ranks, fit)
    called = False

    def shared(*arguments: Any) -> Any:
        nonlocal called
        called = True
        ranks.copied(arguments)
        return together(ranks, fit, arguments)

    try:
        return session(shared)
    finally:
        if not called:
            ranks.copied(None)


def follow(ranks: Any, fit: Callable[..., Any]) -> int:
    """Take part in rank 0's fit, if it comes to one."""
    arguments = ranks.copied(None)
    if arguments is None:
        return FAILED
    estimator, rows, _ = arguments
    try:
        together(ranks, fit, (estimator.set_params(verbose=0), rows, True))
    except Exception:  # rank 0 has the same one, or hears of it
        return FAILED
    return 0


def together(ranks: Any, fit: Callable[..., Any], arguments: Any) -> Any:
    """Run the fit on all ranks (collective).

    An error that the others do not know of ends the job.
    """
    from ..sklearn.tabular.ensemble import on_ranks

    try:
        with on_ranks(ranks):
            found = fit(*arguments)
        error = None
    except Exception as raised:
        found, error = None, raised
    if error is None or not ranks.is_known(error):
        ranks.agree(None, error)
    if error is not None:
        raise error
    return found
