"""The benchmark runs: every work once, at its smallest, on this stack; the peers do the main ones."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench import floor, stacks
from bench.certificates import make
from bench.report import ratio
from bench.work import WORKS, Metric, Setting
from bench.work.base import Result

ROOT = Path(__file__).resolve().parent.parent
SCALE = 0.002


def run(folder: Path, stack: str, work: str, variant: str = "") -> Result:
    """Run a work with client and server in one process."""

    async def main() -> Result:
        chosen = stacks.load(stack, variant)
        certificates = make(folder)
        async with chosen.serve(certificates) as port:
            setting = Setting(
                stack=chosen, port=port, certificates=certificates, scale=SCALE, server=os.getpid()
            )
            return await WORKS[work].run(setting)

    return asyncio.run(main())


@pytest.mark.parametrize("work", [name for name in WORKS if name != "streams-1000"])
def test_work_gives_all_its_numbers(tmp_path: Path, work: str) -> None:
    result = run(tmp_path, "uquic", work)

    assert {metric.key for metric in WORKS[work].metrics} == set(result)


@pytest.mark.peer
@pytest.mark.parametrize(
    "work", ["requests-1", "download", "upload", "raw-download", "raw-upload", "datagrams"]
)
@pytest.mark.parametrize(
    ("stack", "variant"), [("aioquic", ""), ("qh3", ""), ("qh3", "batched")], ids=["aioquic", "qh3", "qh3+"]
)
def test_peer_does_the_same_work(tmp_path: Path, stack: str, variant: str, work: str) -> None:
    result = run(tmp_path, stack, work, variant)

    assert {metric.key for metric in WORKS[work].metrics} == set(result)


def test_command_prints_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--row", "pure", "--work", "first-byte", "--work", "handshake"]
    done = subprocess.run(
        [
            *command,
            "--rounds",
            "1",
            "--scale",
            str(SCALE),
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
