"""The wheels that mypyc compiles: `python -m bench.compiled FOLDER`, and for rows that ask for them.

Where the compiler is GCC they are made twice. The first ones count which way every branch goes while they do the works of
the benchmark, and GCC lays out the second ones by these counts: code that runs lies together, so that more of it stays in
the caches of a process that wakes up for one packet.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from . import certificates
from .rounds import ROOT, Runner
from .rows import ROWS
from .work import WORKS

# What takes longest to compile comes first: the others fit beside it.
COMPILED: Final = ("qcore", "qhttp3", "qtls", "qwire", "quicvarint")
PURE: Final = ("qlog", "qmimic")
FOLDER: Final = ROOT / "build" / "bench-compiled"

# What the counting wheels do: dial, ask, and move data both ways, a tenth as much as is measured.
TRAINING: Final = ("handshake", "requests-1", "requests-10", "download", "upload", "datagrams")
TRAINING_SCALE: Final = 0.1
# Functions of a package are called by its own modules only: directly, then, and inlined.
HIDDEN: Final = "-fvisibility=hidden"


def digest() -> str:
    """A hash of everything that the wheels are made of."""
    hashed = hashlib.sha256(sys.version.encode())
    hashed.update(Path(__file__).read_bytes())
    for package in sorted(COMPILED):
        folder = ROOT / "packages" / package
        for file in sorted([folder / "pyproject.toml", *(folder / "src").rglob("*.py")]):
            hashed.update(str(file.relative_to(ROOT)).encode())
            hashed.update(file.read_bytes())
    return hashed.hexdigest()


def build(on_step: Callable[[str], None] = lambda _: None) -> Path | None:
    """A folder with the compiled packages, for PYTHONPATH: made anew when a source has changed.

    Args:
        on_step: told what is done next.

    Returns:
        None where the wheels come out without compiled modules.

    Raises:
        subprocess.CalledProcessError: they cannot be built.
        RuntimeError: what is built does not work.
    """
    mark = FOLDER / "digest"
    wanted = digest()
    packages = FOLDER / "packages"
    if not (mark.exists() and mark.read_text() == wanted):
        shutil.rmtree(FOLDER, ignore_errors=True)
        make_wheels(FOLDER / "wheels", on_step)
        _install(FOLDER / "wheels", packages)
        mark.write_text(wanted)
    return packages if any(_extensions(packages)) else None


def make_wheels(folder: Path, on_step: Callable[[str], None] = lambda _: None) -> None:
    """Make the wheels of all seven packages, compiled ones of those that have what to compile.

    Args:
        folder: where they go; it must not exist.
        on_step: told what is done next.

    Raises:
        subprocess.CalledProcessError: one cannot be built.
        RuntimeError: the counting wheels do not work.
    """
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="wheels-") as made:
        scratch = Path(made)
        # Compiling a package takes the types of those below it, which their pure wheels have, too; so all can be
        # compiled at once.
        on_step("pure wheels")
        pure = scratch / "pure"
        pure.mkdir()
        for package in reversed((*PURE, *COMPILED)):
            _uv_build(package, pure, pure, {"HATCH_BUILD_HOOK_ENABLE_MYPYC": "false"})
        if _is_gcc():
            counts = scratch / "counts"
            on_step("compiled wheels that count")
            _compile(scratch, pure, scratch / "counting", f"{HIDDEN} -fprofile-generate={counts}")
            on_step("counting")
            _install(scratch / "counting", scratch / "packages")
            _train(scratch)
            on_step("compiled wheels laid out by the counts")
            # What the training left out is compiled as ever, not for size. No warnings: mypyc has them be errors, and a
            # function without counts gives one.
            _compile(scratch, pure, folder, f"{HIDDEN} -fprofile-use={counts} -fprofile-partial-training -w")
        else:
            on_step("compiled wheels")
            _compile(scratch, pure, folder)
        for package in PURE:
            (wheel,) = pure.glob(f"uquic_{package}-*.whl")
            shutil.copy(wheel, folder)


def _is_gcc() -> bool:
    """Whether the C compiler that extensions are built with is GCC: the others count in ways of their own."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    try:
        version = subprocess.run(
            [*str(compiler).split(), "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return "Free Software Foundation" in version.stdout


def _compile(scratch: Path, pure: Path, out: Path, flags: str = "") -> None:
    """Make the compiled wheels, as many at once as there are processors."""

    def compile_one(package: str) -> None:
        # Counts are found by the name of the object file, so it must be the same both times.
        objects = scratch / "objects" / package
        shutil.rmtree(objects, ignore_errors=True)
        objects.mkdir(parents=True)
        environment = {
            "HATCH_BUILD_HOOK_ENABLE_MYPYC": "true",
            "HATCH_MYPYC_BUILD_DIR": str(objects),
            "PYTHONHASHSEED": "0",
            "CFLAGS": " ".join(filter(None, (os.environ.get("CFLAGS"), flags))),
        }
        _uv_build(package, pure, out, environment)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, COMPILED))


def _uv_build(package: str, layers: Path, out: Path, environment: Mapping[str, str]) -> None:
    # uv makes a source distribution and compiles that elsewhere: a compiled module in the tree would hide its source.
    # It must not take the layers below from its cache, where a wheel of the same version may lie.
    fresh = [part for layer in COMPILED for part in ("--refresh-package", f"uquic-{layer}")]
    subprocess.run(
        [
            _uv(),
            "build",
            "-q",
            "--no-sources",
            *fresh,
            "--find-links",
            layers,
            "--out-dir",
            out,
            f"packages/{package}",
        ],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
    )


def _install(wheels: Path, folder: Path) -> None:
    subprocess.run(
        [_uv(), "pip", "install", "-q", "--no-deps", "--target", folder, *wheels.glob("*.whl")], check=True
    )


def _train(scratch: Path) -> None:
    """Have the counting wheels work; the counts are written when the processes end."""
    folder = scratch / "certificates"
    folder.mkdir()
    certificates.make(folder)
    runner = Runner(folder, scratch / "packages", TRAINING_SCALE, loop="asyncio")
    for name in TRAINING:
        runner.run(ROWS["compiled"], WORKS[name])


def _extensions(packages: Path) -> Iterable[Path]:
    yield from packages.rglob("*.so")
    yield from packages.rglob("*.pyd")


def _uv() -> str:
    return os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"


if __name__ == "__main__":
    make_wheels(Path(sys.argv[1]), on_step=lambda step: print(step, flush=True))
