"""Every example of the repository runs as it stands: scripts in ``examples`` and the Python blocks of READMEs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md")), *sorted(ROOT.glob("docs/*.md"))]
SCRIPTS = sorted(ROOT.glob("packages/*/examples/*.py"))
TIME = 60.0

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> Iterator[tuple[str, str]]:
    """The place and text of each block; the text keeps its line numbers, so a traceback points into the file."""
    for path in READMES:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for found in BLOCK.finditer(text):
            before = text.count("\n", 0, found.start(1))
            yield f"{path.relative_to(ROOT)}:{before + 1}", "\n" * before + found[1]


def assert_runs(script: Path, folder: Path) -> None:
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=TIME,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("text", [pytest.param(text, id=place) for place, text in blocks()])
def test_readme_block_runs(text: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(text, encoding="utf-8")

    assert_runs(script, tmp_path)


@pytest.mark.parametrize("script", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in SCRIPTS])
def test_example_runs(script: Path, tmp_path: Path) -> None:
    assert_runs(script, tmp_path)


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in READMES])
def test_links_to_files_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))

    assert [] == [link for link in links if not (path.parent / link).exists()]
