"""The commands, as typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qlog.__main__ import main
from qlog.files import open_trace
from qlog.reader import load_traces


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    writer = open_trace(tmp_path, b"\xab", "client", 0.0)
    header = {"packet_type": "initial", "packet_number": 0}
    writer.event(0.001, "quic:packet_sent", {"header": header, "raw": {"length": 1200}})
    writer.flush()
    return tmp_path / "ab_client.sqlog"


def test_summary(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["summary", str(trace)])
    out = capsys.readouterr().out

    assert out.startswith("client ab\n")
    assert "sent        1 initial; 1200 bytes" in out


def test_convert_goes_both_ways(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, back = tmp_path / "plain.qlog", tmp_path / "back.sqlog"

    assert 0 == main(["convert", str(trace), "-o", str(plain)])
    assert 0 == main(["convert", str(plain), "-o", str(back)])
    assert load_traces(trace.read_bytes()) == load_traces(back.read_bytes())
    assert 0 == main(["convert", str(trace)])
    assert plain.read_text() == capsys.readouterr().out


def test_view_writes_a_page_beside_the_trace(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["view", str(trace)])
    assert 0 == main(["view", str(trace), "-o", str(tmp_path / "page.html")])

    beside = trace.with_suffix(".html")
    assert [str(beside), str(tmp_path / "page.html")] == capsys.readouterr().out.splitlines()
    assert beside.read_text() == (tmp_path / "page.html").read_text()
    assert "<circle " in beside.read_text()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "holds no trace", id="empty"),
        pytest.param(b"no trace at all", "holds no trace", id="junk"),
        pytest.param(b"\x1e{broken", "holds no trace", id="broken"),
    ],
)
@pytest.mark.parametrize("command", ["summary", "convert", "view"])
def test_trouble_is_one_line(
    command: str, content: bytes | None, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.sqlog"
    if content is not None:
        path.write_bytes(content)

    assert 1 == main([command, str(path)])
    error = capsys.readouterr().err
    assert error.startswith("qlog: ")
    assert line in error
    assert 1 == error.count("\n")


def test_two_traces_do_not_fit_a_sequence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.qlog"
    path.write_text('{"traces":[{"title":"a","events":[]},{"title":"b","events":[]}]}')

    assert 1 == main(["convert", str(path)])
    assert "2 traces do not fit one sequence" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["summary"], ["burn", "x"]], ids=["nothing", "no file", "unknown"])
def test_misuse_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert 2 == caught.value.code
    assert "usage: qlog" in capsys.readouterr().err


def test_the_module_runs(trace: Path) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-m", "qlog", "summary", str(trace)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("client ab\n")
