"""The README and the examples run."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {index}" for index in range(len(BLOCKS))])
def test_readme_prints_what_it_says(block: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "readme.py"
    script.write_text(block)
    runpy.run_path(str(script), run_name="__main__")

    expected = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert expected == capsys.readouterr().out.splitlines()


def test_the_example_dissects() -> None:
    done = subprocess.run(
        [sys.executable, str(PACKAGE / "examples" / "dissect_datagram.py")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )

    lines = done.stdout.splitlines()
    assert "0-23 VERSION_NEGOTIATION to f067a5502a4262b5" == lines[0].strip()
    assert "versions ['0x00000001', '0x6b3343cf']" == lines[1].strip()
