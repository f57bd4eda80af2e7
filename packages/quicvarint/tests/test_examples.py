"""The README and the examples run."""

import re
import runpy
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
EXAMPLES = sorted((PACKAGE / "examples").glob("*.py"))


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {index}" for index in range(len(BLOCKS))])
def test_readme_runs(block: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "readme.py"
    script.write_text(block)
    runpy.run_path(str(script), run_name="__main__")

    assert "15293 2\n(37, 6)\n" == capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(example), run_name="__main__")

    assert "15293 in 2 bytes: 7bbd" in capsys.readouterr().out
