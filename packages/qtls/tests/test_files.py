"""The key log file."""

from __future__ import annotations

import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qtls.adapters.files import KeyLogFile


def test_lines_are_appended(make_duo: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_text("before\n")
    duo = make_duo({"keylog": KeyLogFile(path)}).run()
    lines = path.read_text().splitlines()

    assert 6 == len(lines)
    assert f"CLIENT_HANDSHAKE_TRAFFIC_SECRET {duo.client.client_hello[6:38].hex()} " in lines[1]


def test_file_is_for_its_owner_only(tmp_path: Path) -> None:
    KeyLogFile(tmp_path / "keys.log")("line")

    assert 0o600 == stat.S_IMODE((tmp_path / "keys.log").stat().st_mode)


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    assert KeyLogFile.from_environment() is None
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    found = KeyLogFile.from_environment()
    assert isinstance(found, KeyLogFile)
    assert found.path == pickle.loads(pickle.dumps(found)).path
