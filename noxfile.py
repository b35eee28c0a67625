"""Sessions: ``nox -s tests``, ``lint``, ``hard`` (the long forms; hours)."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "tests"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the suite on the wheel that the sources make."""
    session.install(".[test]")
    session.run("pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Look at style and types."""
    session.install(".[dev,test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict")
    session.run("python", ".ci/make_stub.py", "--check")


@nox.session
def hard(session: nox.Session) -> None:
    """Run the long forms of the hard tests: ``nox -s hard -- arrays files`` for some."""
    session.install(".[test]")
    session.run("python", "tests/hard/run.py", "--long", *session.posargs)
