import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qcore.aio import connect, serve, tracing
from qcore.aio.tracing import observer_factory, with_key_log
from qcore.config import QuicConfig
from qcore.errors import UsageError
from qtls import ClientTLS, ServerTLS

from .conftest import HOST
from .test_endpoint import echo_all, exchange

WRITER = '''
import os
from qcore.observer import Observer

class Written(Observer):
    """Notes the states of a connection in a file of its own."""

    def __init__(self, directory, is_client):
        self.path = os.path.join(directory, "client" if is_client else "server")

    def connection_state(self, now, old, new):
        with open(self.path, "a") as file:
            file.write(new + "\\n")

make = Written
'''


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that offers observers."""
    tracing._observer_maker.cache_clear()
    info = tmp_path / "site" / "written-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: written\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[uquic.observers]\nwritten = written_observer:make\n")
    (tmp_path / "site" / "written_observer.py").write_text(WRITER)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    tracing._observer_maker.cache_clear()
    sys.modules.pop("written_observer", None)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No package that offers observers can be found."""
    tracing._observer_maker.cache_clear()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    yield
    tracing._observer_maker.cache_clear()


@pytest.mark.parametrize("by", ["environment", "configuration"])
@pytest.mark.usefixtures("writer")
def test_traces_are_written_where_they_were_asked_for(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_tls: ServerTLS, client_tls: ClientTLS
) -> None:
    config = QuicConfig()
    if by == "environment":
        monkeypatch.setenv("QLOGDIR", str(tmp_path))
    else:
        config = QuicConfig(qlog=str(tmp_path))

    async def main() -> None:
        async with (
            serve(echo_all, (HOST, 0), tls=server_tls, config=config) as listener,
            connect(HOST, listener.addresses[0][1], tls=client_tls, config=config) as connection,
        ):
            assert b"x" == await exchange(connection, b"x")

    asyncio.run(main())

    for side in ("client", "server"):
        states = (tmp_path / side).read_text().split()
        assert ["established", "confirmed"] == [state for state in states if not state.endswith("ing")][:2]


@pytest.mark.usefixtures("nothing_installed")
def test_a_trace_that_nobody_writes_is_refused_if_the_program_wants_it() -> None:
    with pytest.raises(UsageError, match="uquic-qlog"):
        observer_factory(QuicConfig(qlog="traces"), is_client=True)


@pytest.mark.usefixtures("nothing_installed")
def test_the_environment_may_ask_in_vain() -> None:
    assert observer_factory(QuicConfig(), is_client=True, environment={"QLOGDIR": "traces"}) is None


@pytest.mark.usefixtures("writer")
def test_no_trace_without_being_asked() -> None:
    assert observer_factory(QuicConfig(), is_client=True, environment={}) is None


def test_a_key_log_of_the_program_goes_first(client_tls: ClientTLS) -> None:
    lines: list[str] = []
    own = ClientTLS(alpn=("test",), keylog=lines.append)
    environment = {"SSLKEYLOGFILE": os.devnull}

    assert own is with_key_log(own, environment)
    assert client_tls is with_key_log(client_tls, {})
    assert with_key_log(client_tls, environment).keylog is not None
