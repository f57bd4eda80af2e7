"""Fixtures of the qtls tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parent / "vectors"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads a file of ``tests/vectors``."""

    def load(name: str) -> Any:
        return json.loads((VECTORS / f"{name}.json").read_text())

    return load
