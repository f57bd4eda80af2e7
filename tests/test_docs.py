"""Tables in docs/ that name tests, files and constants: what they name is there, and has the value that they give."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ("scenarios.md", "conformance.md", "limits.md")
# As the documents say at their beginning.
FOLDERS = {
    "E": "packages/qcore/tests/engine",
    "A": "packages/qcore/tests/aio",
    "H": "packages/qhttp3/tests",
    "T": "packages/qtls/tests",
}
PLAIN = "packages/qcore/tests/simulated"
REFERENCE = re.compile(r"`((?:[\w.-]+/)*test_\w+)(?:\.py)?(?:::(\w+))?`")
CONSTANT = re.compile(r"`(q\w+(?:\.\w+)+)\.([A-Z_]+)` = ([\d,]+)")
CASE = re.compile(r"^\| ([THQ]\d+) \|")


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def file_of(reference: str) -> Path:
    folder, _, name = reference.rpartition("/")
    first, _, rest = folder.partition("/")
    if first in FOLDERS:
        folder = f"{FOLDERS[first]}/{rest}"
    return ROOT / (folder or PLAIN) / f"{name}.py"


@cache
def functions_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize("name", DOCS)
def test_tests_exist(name: str) -> None:
    missing = []
    references = REFERENCE.findall(text_of(name))
    for reference, test in references:
        path = file_of(reference)
        if not path.is_file() or (test and test not in functions_in(path)):
            missing.append(f"{reference}::{test}")

    assert [] == missing
    assert 20 < len(references)


def test_constants_have_the_value_that_is_told() -> None:
    wrong = []
    constants = CONSTANT.findall(text_of("limits.md"))
    for module, name, value in constants:
        actual = getattr(import_module(module), name, None)
        if actual is None or float(value.replace(",", "")) != float(actual):
            wrong.append(f"{module}.{name} is {actual}, not {value}")

    assert [] == wrong
    assert 20 < len(constants)


def test_every_case_of_the_checklist_has_its_parameter() -> None:
    rows = [line for line in text_of("conformance.md").splitlines() if CASE.match(line)]
    for row in rows:
        case = re.escape(CASE.match(row)[1])  # type: ignore[index]  # the rows that match
        files = {file_of(reference) for reference, _ in REFERENCE.findall(row)}
        assert any(re.search(rf"\b{case}\b", path.read_text(encoding="utf-8")) for path in files), row

    assert 34 + 15 == len(rows)


@pytest.mark.parametrize(
    ("letter", "count"),
    [pytest.param("M", 18, id="memory"), ("S", 9), ("A", 12), ("K", 16)],
)
def test_every_attack_has_a_row(letter: str, count: int) -> None:
    named = set(re.findall(rf"^\| ({letter}\d+) \|", text_of("limits.md"), re.MULTILINE))

    assert {f"{letter}{number}" for number in range(1, count + 1)} == named
