"""The seven distributions as a stranger gets them: built, installed from a folder of wheels, imported."""

import email
import os
import shutil
import subprocess
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("quicvarint", "qwire", "qtls", "qcore", "qhttp3", "qlog", "qmimic")

UV = os.environ.get("HATCH_UV") or shutil.which("uv")

pytestmark = pytest.mark.skipif(UV is None, reason="uv is missing: run through ./hatchw run test")


def uv(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    # From the root, since the environment names constraints.txt relative to it; without the hooks that make
    # compiled wheels, which are not what most get.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HATCH_BUILD_HOOK")
    }
    return subprocess.run(
        [str(UV), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of each package, each built from its source distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in LAYERS:
        built = uv("build", "--quiet", "--no-sources", "--out-dir", folder, ROOT / "packages" / package)
        assert 0 == built.returncode, built.stderr
    return folder


def metadata(wheels: Path, package: str) -> Message:
    (wheel,) = wheels.glob(f"uquic_{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@pytest.mark.parametrize("package", LAYERS)
def test_wheel_is_pure_and_typed(package: str, wheels: Path) -> None:
    (wheel,) = wheels.glob(f"uquic_{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert wheel.name.endswith("-py3-none-any.whl")
    assert f"{package}/py.typed" in names
    assert {package} == {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.parametrize("package", LAYERS)
def test_metadata_names_versions_and_no_places(package: str, wheels: Path) -> None:
    requirements = metadata(wheels, package).get_all("Requires-Dist", [])

    assert f"uquic-{package}" == metadata(wheels, package)["Name"]
    assert [] == [text for text in requirements if "@" in text or "file:" in text]
    assert [] == [text for text in requirements if text.startswith("uquic-") and ">=" not in text]


@pytest.mark.parametrize("package", LAYERS)
def test_layer_installs_and_imports_with_what_it_declares(package: str, wheels: Path, tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / ("Scripts" if os.name == "nt" else "bin") / "python"
    install: list[str | Path] = [
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--find-links",
        wheels,
        f"uquic-{package}",
    ]
    # The caches hold everything where the tests' own environment was just made.
    done = uv(*install, "--offline")
    if done.returncode:
        done = uv(*install)
    assert 0 == done.returncode, done.stderr

    code = f"import {package}; print({package}.__version__)"
    imported = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert ("", f"{metadata(wheels, package)['Version']}\n") == (imported.stderr, imported.stdout)
