"""The wheels that mypyc compiles, for rows that ask for them: built anew when a source has changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from .rounds import ROOT

PACKAGES: Final = ("quicvarint", "qwire", "qtls", "qcore", "qhttp3")
FOLDER: Final = ROOT / "build" / "bench-compiled"


def digest() -> str:
    """A hash of everything that the wheels are made of."""
    hashed = hashlib.sha256(sys.version.encode())
    for package in PACKAGES:
        folder = ROOT / "packages" / package
        for file in sorted([folder / "pyproject.toml", *(folder / "src").rglob("*.py")]):
            hashed.update(str(file.relative_to(ROOT)).encode())
            hashed.update(file.read_bytes())
    return hashed.hexdigest()


def build() -> Path | None:
    """A folder with the compiled packages, for PYTHONPATH.

    Returns:
        None where the wheels come out without compiled modules.

    Raises:
        subprocess.CalledProcessError: they cannot be built.
    """
    mark = FOLDER / "digest"
    wanted = digest()
    if not (mark.exists() and mark.read_text() == wanted):
        shutil.rmtree(FOLDER, ignore_errors=True)
        _build(FOLDER)
        mark.write_text(wanted)
    return FOLDER / "packages" if _extensions(FOLDER) else None


def _build(folder: Path) -> None:
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    uv = os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"
    environment = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_MYPYC": "true"}
    fresh = [part for package in PACKAGES for part in ("--refresh-package", f"uquic-{package}")]
    for package in PACKAGES:
        # Not in the tree, and so without the sources that uv knows of: compiled modules beside theirs would be imported
        # in their place, by the row that is not compiled, too.
        subprocess.run(
            [
                uv,
                "build",
                "-q",
                "--no-sources",
                *fresh,
                "--find-links",
                wheels,
                "--out-dir",
                wheels,
                f"packages/{package}",
            ],
            cwd=ROOT,
            env=environment,
            check=True,
        )
    subprocess.run(
        [uv, "pip", "install", "-q", "--no-deps", "--target", folder / "packages", *wheels.glob("*.whl")],
        check=True,
    )


def _extensions(folder: Path) -> bool:
    return any((folder / "packages").rglob("*.so")) or any((folder / "packages").rglob("*.pyd"))
