"""Names of codes and parameters."""

import pytest

from qwire import constants
from qwire.constants import error_name, parameter_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x00, "NO_ERROR"),
        (0x0A, "PROTOCOL_VIOLATION"),
        (0x11, "VERSION_NEGOTIATION_ERROR"),
        (0x100, "CRYPTO_ERROR_0x100"),
        (0x1FF, "CRYPTO_ERROR_0x1ff"),
        (0x200, "0x200"),
        (0x12, "0x12"),
    ],
)
def test_error_names(code: int, name: str) -> None:  # RFC 9000 §20.1
    assert name == error_name(code)


def test_every_error_code_has_its_constant() -> None:
    for code, name in constants.ERROR_NAMES.items():
        assert code == getattr(constants, name)
    assert list(range(0x12)) == sorted(constants.ERROR_NAMES)


def test_every_parameter_has_its_constant() -> None:
    for id, name in constants.PARAMETER_NAMES.items():
        assert id == getattr(constants, f"TP_{name.upper()}")
        assert name == parameter_name(id)
    assert "0x1234" == parameter_name(0x1234)
