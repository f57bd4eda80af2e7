import pytest

from qhttp3.priority import Priority
from qhttp3.priority_field import read_priority


@pytest.mark.parametrize(
    ("value", "urgency", "incremental"),
    [
        pytest.param(b"", 3, False, id="empty"),
        pytest.param(b"u=0", 0, False, id="urgency"),
        pytest.param(b"u=5, i", 5, True, id="both"),
        pytest.param(b"i,u=1", 1, True, id="other order"),
        pytest.param(b"i=?0", 3, False, id="false"),
        pytest.param(b"i=?1;x", 3, True, id="parameter"),
        pytest.param(b"u=8", 3, False, id="urgency out of range"),
        pytest.param(b"u=-1, i=1, foo=bar", 3, False, id="nonsense"),
        pytest.param(b"u=1, u=6", 6, False, id="the last one counts"),
    ],
)
def test_values(value: bytes, urgency: int, incremental: bool) -> None:  # RFC 9218 §4
    assert (urgency, incremental) == read_priority(value)


def test_round_trip() -> None:
    for urgency in range(8):
        for incremental in (False, True):
            priority = Priority(urgency, incremental)
            assert (urgency, incremental) == read_priority(priority.encode())


def test_urgency_has_a_range() -> None:
    with pytest.raises(ValueError, match="8"):
        Priority(8)
