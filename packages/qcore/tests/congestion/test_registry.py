import pytest

from qcore.congestion import NAMES, make
from qcore.errors import UsageError


@pytest.mark.parametrize("name", NAMES)
def test_controllers_are_made_by_name(name: str) -> None:
    controller = make(name, 1200)

    assert (name, 12_000) == (controller.name, controller.window)
    assert ("startup" if name == "bbr" else "slow_start") == controller.state


def test_unknown_name_is_misuse() -> None:
    with pytest.raises(UsageError, match="'vegas'; known are cubic, newreno, bbr"):
        make("vegas", 1200)
