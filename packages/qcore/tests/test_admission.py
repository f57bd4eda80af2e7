"""Who is let in. RFC 9000 §8.1."""

import pytest

from qcore.admission import (
    MAX_HALF_OPEN,
    RETRY_ABOVE,
    Admission,
    Admit,
    Arrival,
    admit_by_load,
    always_retry,
)
from qwire.constants import VERSION_1


@pytest.mark.parametrize(
    ("rule", "half_open", "is_validated", "admission"),
    [
        (admit_by_load, 0, False, Admission.ACCEPT),
        (admit_by_load, RETRY_ABOVE - 1, False, Admission.ACCEPT),
        (admit_by_load, RETRY_ABOVE, False, Admission.RETRY),
        (admit_by_load, RETRY_ABOVE, True, Admission.ACCEPT),
        (admit_by_load, MAX_HALF_OPEN - 1, True, Admission.ACCEPT),
        (admit_by_load, MAX_HALF_OPEN, False, Admission.REFUSE),
        (admit_by_load, MAX_HALF_OPEN, True, Admission.REFUSE),
        (always_retry, 0, False, Admission.RETRY),
        (always_retry, 0, True, Admission.ACCEPT),
        (always_retry, MAX_HALF_OPEN, True, Admission.REFUSE),
    ],
)
def test_rule(rule: Admit, half_open: int, is_validated: bool, admission: Admission) -> None:
    arrival = Arrival(
        address=("192.0.2.1", 1), version=VERSION_1, is_validated=is_validated, half_open=half_open
    )

    assert admission is rule(arrival)


def test_arrival_cannot_be_changed() -> None:
    arrival = Arrival(address=("192.0.2.1", 1), version=VERSION_1, is_validated=False, half_open=0)
    with pytest.raises(AttributeError):
        arrival.is_validated = True  # type: ignore[misc]  # wrong on purpose
