"""The observers with their files, as qcore and qhttp3 get them."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from qlog.reader import load_traces
from qwire.constants import VERSION_1, PacketType
from qwire.frames import PingFrame

pytest.importorskip("qcore.observer")

from qlog.files import observe, observe_http3

PYPROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("group", "maker"), [("uquic.observers", observe), ("uquic.http3_observers", observe_http3)]
)
def test_the_entry_points_make_observers(group: str, maker: object) -> None:
    module, name = PYPROJECT["project"]["entry-points"][group]["qlog"].split(":")

    assert maker is getattr(import_module(module), name)


def test_http3_writes_into_the_trace_of_its_connection(tmp_path: Path) -> None:
    pytest.importorskip("qhttp3.observer")
    core = observe(str(tmp_path), True)
    core.connection_started(1.0, True, b"\x01", b"\x02", VERSION_1, ("::1", 443, 0, 0))
    http = observe_http3(core)
    assert http is not None
    core.packet_sent(1.5, PacketType.ONE_RTT, 0, 40, [PingFrame()], b"\x02", b"")
    http.goaway_sent(4)
    http.frame_created(0, 1, 5, [(b":method", b"GET")])
    core.connection_closed(2.0, True, 0, True, "")
    (trace,) = load_traces((tmp_path / "02_client.sqlog").read_bytes())

    assert [
        (0.0, "quic:connection_started"),
        (0.0, "quic:version_information"),
        (500.0, "quic:connection_id_updated"),
        (500.0, "quic:packet_sent"),
        (500.0, "http3:frame_created"),
        (1000.0, "quic:connection_closed"),
    ] == [(event["time"], event["name"]) for event in trace.events]


def test_other_observers_have_no_place_for_http3() -> None:
    pytest.importorskip("qhttp3.observer")

    assert observe_http3(object()) is None
    assert observe_http3(None) is None
