"""The benchmark runs: every work once, at its smallest, on this stack; the peers do the main ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench import floor
from bench.once import run
from bench.report import ratio
from bench.rounds import Runner, run_rounds
from bench.rows import ROWS, Row
from bench.work import WORKS, Metric, Work

ROOT = Path(__file__).resolve().parent.parent
SCALE = 0.002


@pytest.mark.parametrize("work", [name for name in WORKS if name != "streams-1000"])
def test_work_gives_all_its_numbers(tmp_path: Path, work: str) -> None:
    result = run(tmp_path, "uquic", "", work, SCALE)

    assert {metric.key for metric in WORKS[work].metrics} == set(result)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("stack", "variant"), [("aioquic", ""), ("qh3", ""), ("qh3", "batched")], ids=["aioquic", "qh3", "qh3+"]
)
def test_peer_does_the_same_work(stack: str, variant: str) -> None:
    works = ["requests-1", "requests-100", "download", "upload", "raw-download", "raw-upload", "datagrams"]
    # In a process of its own: the peers' best settings change the peers for everybody in it.
    command = [sys.executable, "-m", "bench.once", stack, variant, str(SCALE), *works]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)

    assert {work: {metric.key for metric in WORKS[work].metrics} for work in works} == {
        work: set(result) for work, result in json.loads(done.stdout).items()
    }


def test_command_prints_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--row", "pure", "--work", "first-byte", "--work", "handshake"]
    done = subprocess.run(
        [
            *command,
            "--rounds",
            "1",
            "--scale",
            str(SCALE),
            "--loop",
            "asyncio",
            "--json",
            "--markdown",
            str(tmp_path / "table.md"),
        ],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)

    assert {"handshake", "first-byte"} == set(found["results"])
    assert [] == found["failures"]
    assert "| full handshake | per s |" in (tmp_path / "table.md").read_text()
    assert 0 == done.returncode


def test_who_interrupts_gets_what_there_is(tmp_path: Path) -> None:
    class Interrupted(Runner):
        def run(self, row: Row, work: Work, flame: Path | None = None) -> dict[str, float]:
            if row.name == "qh3":
                raise KeyboardInterrupt
            return {"rate": 1.0}

    rows = [ROWS["pure"], ROWS["qh3"], ROWS["aioquic"]]

    results = run_rounds(Interrupted(tmp_path, None, 1.0), rows, [WORKS["handshake"]], 2, lambda step: None)

    assert {"handshake": {"pure": {"rate": [1.0]}}} == results.values
    assert ["interrupted in round 1: full handshake, qh3"] == results.failures


def test_floor_is_made_of_all_its_parts() -> None:
    found = floor.measure(0.01)

    assert found.sender > 0
    assert found.receiver > 0


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(Metric("rate", "per s", more_is_better=True), 0.5, id="more is better"),
        pytest.param(Metric("time", "ms"), 2.0, id="less is better"),
    ],
)
def test_ratio_is_above_one_where_ours_is_better(metric: Metric, expected: float) -> None:
    assert expected == ratio(metric, [1.0, 2.0, 3.0], [4.0, 4.0, 5.0])
