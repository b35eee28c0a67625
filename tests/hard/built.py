"""The core's tests on a module that CMake has built, by one CPU target: what ctest calls.

python tests/hard/built.py build/dev/_core*.so x86_64_v3
python tests/hard/built.py no-openmp baseline      builds the preset first
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hard import builds

TESTS = (
    *("kernel_bits", "kernels_dense", "kernels_activations", "kernels_losses"),
    *("kernels_optimizers", "plan", "predict"),
)


def main(module: str, target: str) -> int:
    """Return pytest's code; a target that this CPU lacks is passed over."""
    path = Path(module) if Path(module).is_file() else builds.cmake(module)
    variables = builds.environment(builds.package(path), CHAINRULE_TARGET=target)
    ask = "import chainrule; print(chainrule.cpu_target())"
    found = subprocess.run(
        [sys.executable, "-c", ask], env=variables, capture_output=True, text=True, check=False
    )
    if found.stdout.strip() != target:
        print(f"not tried: {target}: {found.stderr.splitlines()[-1:]}")
        return 0 if "CHAINRULE_TARGET: expected one of" in found.stderr else 1
    tests = [str(builds.ROOT / f"tests/test_{name}.py") for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, env=variables, cwd=builds.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
