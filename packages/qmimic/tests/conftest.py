"""Material of these tests: captures in this folder, and shared ones that the project does not carry."""

import os
from pathlib import Path

import pytest

from qmimic.capture import CapturedFlow, read_capture

HERE = Path(__file__).parent
ROOT = HERE.resolve().parents[2]


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of captures beside these tests."""
    return HERE / "captures"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared material; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("UQUIC_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; UQUIC_SHARED names another place")
    return folder


@pytest.fixture(scope="session")
def corpus(shared: Path) -> Path:
    """The public fingerprint corpus."""
    folder = shared / "corpus"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    return folder


@pytest.fixture(scope="session")
def chromium_flights(captures: Path) -> list[CapturedFlow]:
    """First flights of Chromium 156 over IPv4."""
    return read_capture(captures / "chromium-156.0.8078.79-flight.jsonl")
