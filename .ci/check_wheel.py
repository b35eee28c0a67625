"""Check a repaired wheel and a source distribution: what they contain, and the wheel's size.

python .ci/check_wheel.py WHEEL SDIST
"""

from __future__ import annotations

import email
import posixpath
import re
import sys
import tarfile
import zipfile
from pathlib import Path

LARGEST_WHEEL = 1_850_000  # bytes; 0.13 MB of it is OpenMP's library
IN_WHEEL = (
    "chainrule/__init__.py",
    "chainrule/_core.pyi",
    "chainrule/digits/README.md",
    "chainrule/digits/digits.npz",
    "chainrule/py.typed",
    "chainrule/seeing/page.css",
    "chainrule/seeing/page.js",
)
IN_SDIST = (
    ".ci/run",
    "CHANGELOG.md",
    "CITATION.cff",
    "CMakeLists.txt",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "cpp/README.md",
    "cpp/kernels/target.cpp",
    "docs/conf.py",
    "docs/images/digits.png",
    "examples/README.md",
    "pyproject.toml",
    "python/chainrule/_core.pyi",
    "python/chainrule/digits/digits.npz",
    "tests/conftest.py",
)


def faults_of_wheel(path: Path) -> list[str]:
    """Return what is wrong with a wheel."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        headers = email.message_from_bytes(wheel.read(metadata))
    faults = [f"{name} is missing" for name in IN_WHEEL if name not in names]
    if sum(name.startswith("chainrule/_core.") and name.endswith(".so") for name in names) != 1:
        faults.append("expected one compiled chainrule/_core")
    for licence in ("licenses/LICENSE", "licenses/python/chainrule/digits/README.md"):
        if not any(name.endswith(licence) for name in names):
            faults.append(f"{licence} is missing")
    bundled = any(name.startswith("chainrule.libs/") for name in names)
    if bundled and not any(".dist-info/sboms/" in name for name in names):
        faults.append("expected a bill of materials that names the bundled libraries, got none")
    folders = {name.split("/")[0] for name in names}
    allowed = {"chainrule", "chainrule.libs", metadata.split("/")[0]}
    faults += [f"{folder}/ does not belong there" for folder in sorted(folders - allowed)]
    if "linux" in path.name and "manylinux" not in path.name:
        faults.append("it is not repaired (no manylinux tag)")
    if (
        headers["License-Expression"] != "BSD-3-Clause AND CC-BY-4.0"
        or headers["Requires-Python"] != ">=3.10"
    ):
        faults.append("its metadata name another licence or Python")
    if path.stat().st_size > LARGEST_WHEEL:
        faults.append(f"it has {path.stat().st_size} bytes: expected at most {LARGEST_WHEEL}")
    return faults


def faults_of_sdist(path: Path) -> list[str]:
    """Return what is missing in a source distribution."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    return [f"{name} is missing" for name in IN_SDIST if name not in names]


def dead_links(path: Path) -> list[str]:
    """Return the links of a source distribution's pages that lead nowhere in it."""
    with tarfile.open(path) as archive:
        texts = {
            each.name: archive.extractfile(each).read().decode()  # type: ignore[union-attr]
            for each in archive.getmembers()
            if each.name.endswith(".md")
        }
        names = set(archive.getnames())
    folders = {str(parent) for name in names for parent in Path(name).parents}
    faults = []
    for name, text in texts.items():
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
            made = link.startswith(("http", "api/", "gallery/"))  # the last two by the site's build
            if not made and target not in names | folders:
                faults.append(f"{name}: {link} is not there")
    return faults


def main(wheel: str, sdist: str) -> int:
    found = {
        wheel: faults_of_wheel(Path(wheel)),
        sdist: faults_of_sdist(Path(sdist)) + dead_links(Path(sdist)),
    }
    for path, faults in found.items():
        print(f"{Path(path).name}: {Path(path).stat().st_size / 1e6:.2f} MB")
        for fault in faults:
            print(f"  {fault}")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
