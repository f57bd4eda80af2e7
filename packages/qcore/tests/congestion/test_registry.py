import pytest

from qcore.congestion import NAMES, make
from qcore.errors import UsageError


@pytest.mark.parametrize("name", NAMES)
def test_controllers_are_made_by_name(name: str) -> None:
    controller = make(name, 1200)

    assert (name, 12_000, "slow_start") == (controller.name, controller.window, controller.state)


def test_unknown_name_is_misuse() -> None:
    with pytest.raises(UsageError, match="'vegas'; known are cubic, newreno"):
        make("vegas", 1200)
