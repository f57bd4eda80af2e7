"""One file a connection; a failing disk is the trace's trouble alone."""

import logging
import stat
from pathlib import Path

import pytest

from qlog.files import BUFFER_SIZE, FileSink, open_trace
from qlog.reader import load_traces


def test_the_file_is_named_by_connection_and_role(tmp_path: Path) -> None:  # quic-events-12 §1.1
    writer = open_trace(tmp_path / "new" / "folder", b"\xab\xcd", "server", 5.0)
    writer.event(5.001, "quic:packet_sent", {})
    writer.flush()
    path = tmp_path / "new" / "folder" / "abcd_server.sqlog"
    (trace,) = load_traces(path.read_bytes())

    assert ("server", "abcd", [1.0]) == (
        trace.vantage_point,
        trace.group_id,
        [event["time"] for event in trace.events],
    )
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_the_same_connection_twice_gets_two_files(tmp_path: Path) -> None:
    for _ in range(2):
        open_trace(tmp_path, b"\xaa", "client").flush()
    open_trace(tmp_path, b"", "client").flush()

    assert ["aa_client-2.sqlog", "aa_client.sqlog", "empty_client.sqlog"] == sorted(
        path.name for path in tmp_path.iterdir()
    )


def test_text_gathers_and_is_written_when_it_is_much(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, "x")
    sink.write("a" * (BUFFER_SIZE - 1))
    path = tmp_path / "x.sqlog"

    assert 0 == path.stat().st_size
    sink.write("b")
    assert BUFFER_SIZE == path.stat().st_size
    sink.write("c")
    sink.flush()
    assert BUFFER_SIZE + 1 == path.stat().st_size


def test_what_is_left_is_written_when_the_trace_is_dropped(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, "x")
    sink.write("end")
    del sink

    assert "end" == (tmp_path / "x.sqlog").read_text()


def test_a_directory_that_cannot_be_made_loses_the_trace_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING, "qlog"):
        writer = open_trace(tmp_path / "file", b"\xaa", "client")
        for _ in range(1000):
            writer.event(0.0, "quic:packet_sent", {"frames": ["x" * 100]})
        writer.flush()

    assert 1 == len(caplog.records)
    assert "no trace of aa_client" in caplog.text


def test_a_write_that_fails_ends_the_trace_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_trace(tmp_path, b"\xaa", "client")
    path = tmp_path / "aa_client.sqlog"
    path.unlink()
    path.mkdir()  # what is to be appended to is no file any more
    with caplog.at_level(logging.WARNING, "qlog"):
        for _ in range(1000):
            writer.event(0.0, "quic:packet_sent", {"frames": ["x" * 100]})
        writer.flush()

    assert 1 == len(caplog.records)
    assert "the trace aa_client.sqlog ends here" in caplog.text
