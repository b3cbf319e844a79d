"""The peer in Rust: a variable names it, or cargo builds it from ``peers/``."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "peers" / "socketioxide"
VARIABLE = "BENCH_RUST_PEER"

# All of its packages, optimised as one, on one slow core.
BUILD_SECONDS = 900


@functools.cache
def rust_peer(folder: Path) -> Path:
    """Return the program, built below a folder unless the variable names one.

    Raises:
        RuntimeError: Neither is possible here; says why in one line.
    """
    if named := os.environ.get(VARIABLE):
        if not os.access(named, os.X_OK):
            raise RuntimeError(f"{VARIABLE} names no program: {named}")
        return Path(named).absolute()
    cargo = shutil.which("cargo")
    if cargo is None:
        raise RuntimeError(f"there is no cargo, and {VARIABLE} names no program")
    target = (folder / "socketioxide").absolute()
    command = [cargo, "build", "--release", "--quiet", "--target-dir", str(target)]
    try:
        built = subprocess.run(
            command, cwd=SOURCES, capture_output=True, text=True, timeout=BUILD_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"cargo took more than {BUILD_SECONDS} s") from None
    if built.returncode:
        said = built.stderr.strip().partition("\n")[0]
        raise RuntimeError(f"cargo cannot build it ({said}), see {VARIABLE}")
    return target / "release" / "peer"
