"""The layer rules of docs/architecture.md, checked on the sources without running them."""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = ("quicvarint", "qwire", "qtls", "qcore", "qhttp3", "qlog", "qmimic")

# What each package may import of the others: everywhere, and only in the named parts of it.
ARROWS: dict[str, set[str]] = {
    "quicvarint": set(),
    "qwire": {"quicvarint"},
    "qtls": set(),
    "qcore": {"qwire", "qtls"},
    "qhttp3": {"quicvarint"},
    "qlog": {"qwire"},
    "qmimic": {"quicvarint", "qwire", "qtls", "qcore", "qhttp3", "qlog"},
}
PART_ARROWS: dict[str, set[str]] = {
    "qhttp3.aio": {"qcore", "qtls"},
    "qhttp3.adapters": {"qcore", "qtls"},
    "qlog.core": {"qcore"},
    "qlog.http3": {"qhttp3"},
}

# Input, output, clocks, chance and concurrency.
IMPURE = {
    "asyncio",
    "concurrent",
    "fcntl",
    "glob",
    "mmap",
    "multiprocessing",
    "os",
    "pathlib",
    "queue",
    "random",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
}
IMPURE_FUNCTIONS = {"open", "input", "print"}
IMPURE_METHODS = {"now", "utcnow", "today", "uuid1", "uuid4"}
# What os offers to those who only take a path from somebody and hand it on.
PURE_NAMES_OF_OS = {"PathLike", "fspath"}
IMPURE_FOLDERS = {"aio", "adapters"}
IMPURE_MODULES = {"qlog.files", "qmimic.capture", "qmimic.client"}

# Distributions whose packages go by another name.
IMPORT_NAMES = {"python-pcapng": "pcapng"}

ENGINE = "qcore.engine.engine"
ENGINE_USERS = ("qcore.router", "qcore.aio", "qcore.testing")


class Import(NamedTuple):
    """One imported module as one line of a source file says it."""

    target: str
    line: int
    when_loaded: bool


class Module:
    """One source file: its dotted name and what it imports."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.package = name.partition(".")[0]
        self.tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        self.imports = list(self._imports())

    def is_within(self, *names: str) -> bool:
        """Whether this is one of the named modules or lies below one."""
        return any(self.name == name or self.name.startswith(name + ".") for name in names)

    def is_impure_place(self) -> bool:
        """Whether rule 3 lets this module touch the outside."""
        parts = self.name.split(".")
        return (
            not IMPURE_FOLDERS.isdisjoint(parts) or parts[-1] == "__main__" or self.is_within(*IMPURE_MODULES)
        )

    def _imports(self) -> Iterator[Import]:
        later = {
            id(inner)
            for outer in ast.walk(self.tree)
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or is_typing_only(outer)
            for inner in ast.walk(outer)
        }
        for node in ast.walk(self.tree):
            top = id(node) not in later
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno, top)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    yield Import(f"{base}.{alias.name}", node.lineno, top)

    def _base(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        # A package's __init__ counts as the package, so one dot less leads out of it.
        parts = self.name.split(".")
        up = node.level - 1 if self.path.name == "__init__.py" else node.level
        return ".".join(parts[: len(parts) - up] + ([node.module] if node.module else []))


def is_typing_only(node: ast.AST) -> bool:
    """Whether this is a block for type checkers alone."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def source_modules(package: str) -> Iterator[Module]:
    source = ROOT / "packages" / package / "src"
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        yield Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)


@cache
def modules() -> dict[str, Module]:
    return {module.name: module for package in LAYERS for module in source_modules(package)}


def module_of(target: str) -> str | None:
    """The longest prefix of an imported name that is a module of ours, or None."""
    while target and target not in modules():
        target = target.rpartition(".")[0]
    return target or None


def is_impure_call(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in IMPURE_FUNCTIONS
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in IMPURE_METHODS
    return False


def only_names_a_source_of_chance(module: Module) -> bool:
    """Whether secrets.token_bytes is a default here and never called."""
    called = (ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    return not any(name.startswith("secrets.") for name in called)


def uses_os(module: Module) -> bool:
    """Whether a module that imports os takes more of it than the type of a path, and os.urandom as a default.

    Configuration may also draw keys when it is made.
    """
    used = {
        node.attr
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os"
    }
    called = {ast.unparse(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
    if "os.urandom" not in called or module.name.endswith(".config"):
        used.discard("urandom")
    return not used <= PURE_NAMES_OF_OS


def places(found: Iterator[tuple[Module, int, str]]) -> list[str]:
    return [f"{module.path.relative_to(ROOT)}:{line}: {what}" for module, line, what in found]


def test_only_the_arrows_between_packages_exist() -> None:
    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in modules().values():
            allowed = {module.package} | ARROWS[module.package]
            for part, more in PART_ARROWS.items():
                if module.is_within(part):
                    allowed |= more
            for imported in module.imports:
                top = imported.target.partition(".")[0]
                if top in LAYERS and top not in allowed:
                    yield module, imported.line, f"imports {imported.target}"

    assert [] == places(wrong())


@pytest.mark.parametrize("package", LAYERS)
def test_what_is_imported_is_declared(package: str) -> None:
    project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
    declared = {re.split(r"[^\w-]", text)[0].removeprefix("uquic-") for text in requirements}
    imported = {
        each.target.partition(".")[0]
        for module in modules().values()
        if module.package == package
        for each in module.imports
        # The marks for mypyc are for its eyes alone.
        if each.when_loaded or not each.target.startswith("mypy_extensions.")
    }

    declared |= {IMPORT_NAMES.get(name, name) for name in declared}
    assert set() == imported - declared - {package} - sys.stdlib_module_names


def test_only_qtls_and_qmimic_reach_for_cryptography() -> None:
    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in modules().values():
            for imported in module.imports:
                if imported.target.startswith("cryptography") and module.package not in ("qtls", "qmimic"):
                    yield module, imported.line, f"imports {imported.target}"

    assert [] == places(wrong())


@pytest.mark.parametrize("package", LAYERS)
def test_modules_of_a_package_import_in_one_direction(package: str) -> None:
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for module in modules().values():
        for imported in module.imports:
            below = module_of(imported.target)
            if imported.when_loaded and module.package == package and below not in (None, module.name):
                order.add(module.name, below)

    order.prepare()  # raises CycleError with the modules on the circle


def test_the_outside_is_touched_only_where_allowed() -> None:
    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in modules().values():
            if module.is_impure_place():
                continue
            for imported in module.imports:
                if imported.target == "secrets" and only_names_a_source_of_chance(module):
                    continue
                if imported.target == "os" and not uses_os(module):
                    continue
                if any(imported.target == name or imported.target.startswith(name + ".") for name in IMPURE):
                    yield module, imported.line, f"imports {imported.target}"
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and is_impure_call(node):
                    yield module, node.lineno, f"calls {ast.unparse(node.func)}"

    assert [] == places(wrong())


def test_only_its_drivers_import_the_engine() -> None:
    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in modules().values():
            for imported in module.imports:
                if module_of(imported.target) == ENGINE and not module.is_within(*ENGINE_USERS):
                    yield module, imported.line, f"imports {imported.target}"

    assert [] == places(wrong())
