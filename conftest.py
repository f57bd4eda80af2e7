"""Rules for every test of the repository.

Where the environment says CI, a test of a foreign peer or browser that skips itself fails instead: a skipped
test proves nothing, and CI installs what these need.
"""

import os
from collections.abc import Generator

import pytest

NEEDED_IN_CI = ("peer", "browser")


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
