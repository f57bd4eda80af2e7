"""Rules for every test of the repository.

Where the environment says CI, a test of a foreign peer or browser that skips itself fails instead: a skipped
test proves nothing, and CI installs what these need.

And tables that connections share while they are empty stay empty: what one connection put into them would be another's.
"""

import os
import sys
from collections.abc import Generator, Iterator, Sized

import pytest

NEEDED_IN_CI = ("peer", "browser")
PACKAGES = ("qwire", "qtls", "qcore", "qhttp3")
# How constants begin that say so of themselves.
EMPTY = ("NO_", "NOBODY", "NONE_", "NOTHING")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a peer or browser test into a failure where ``CI`` is set."""
    report = yield
    needed = any(item.get_closest_marker(name) for name in NEEDED_IN_CI)
    if report.skipped and needed and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though CI must run it: {report.longrepr}"
    return report


@pytest.fixture(scope="module", autouse=True)
def shared_tables_stay_empty() -> Iterator[None]:
    """Fail if the tests of a module have put something into what all connections share."""
    yield
    filled = [
        f"{module_name}.{name}"
        for module_name, module in list(sys.modules.items())
        if module_name.partition(".")[0] in PACKAGES
        for name, value in list(getattr(module, "__dict__", {}).items())
        if name.startswith(EMPTY) and not isinstance(value, str | bytes | tuple) and is_filled(value)
    ]
    assert [] == filled


def is_filled(table: object) -> bool:
    """Whether a table holds something; some have a place for each number, where there is 0 or nothing."""
    if not isinstance(table, Sized) or not len(table):
        return False
    return not isinstance(table, list) or len(table) == 1 or any(table)
