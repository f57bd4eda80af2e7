"""Which version is used. RFC 9000 §6, RFC 9368, RFC 9369."""

import pytest

from qcore.engine.version import check_negotiated, choose_after_negotiation, choose_compatible
from qcore.errors import TransportError
from qwire.constants import VERSION_1 as V1
from qwire.constants import VERSION_2 as V2
from qwire.constants import VERSION_NEGOTIATION_ERROR
from qwire.transport_parameters import TransportParameters

OTHER = 0x0A0A0A0A


def parameters(chosen: int | None, available: tuple[int, ...] = ()) -> TransportParameters:
    if chosen is None:
        return TransportParameters([])
    return TransportParameters.build(version_information=(chosen, available))


@pytest.mark.parametrize(
    ("supported", "attempted", "offered", "chosen"),
    [
        pytest.param((V2, V1), V2, (V1,), V1, id="the other one"),
        pytest.param((V1, V2), V1, (OTHER, V2), V2, id="beside unknown ones"),
        pytest.param((V1,), V1, (V2, OTHER), None, id="none in common"),
        pytest.param((V1, V2), V1, (), None, id="nothing offered"),
        pytest.param((OTHER, V2, V1), OTHER, (V1, V2), V2, id="our preference, not the server's"),
    ],
)
def test_choice_after_version_negotiation(
    supported: tuple[int, ...], attempted: int, offered: tuple[int, ...], chosen: int | None
) -> None:  # RFC 9000 §6.2
    assert chosen == choose_after_negotiation(supported, attempted, offered)


@pytest.mark.parametrize(
    ("supported", "first_flight", "told", "chosen"),
    [
        pytest.param((V1, V2), V1, parameters(None), V1, id="client says nothing"),
        pytest.param((V2, V1), V1, parameters(None), V1, id="nothing said, nothing changed"),
        pytest.param((V2, V1), V1, parameters(V1, (V1, V2)), V2, id="upgrade"),
        pytest.param((V1, V2), V1, parameters(V1, (V2, V1)), V1, id="our order decides"),
        pytest.param((V2, V1), V1, parameters(V1, (V1,)), V1, id="client has only one"),
        pytest.param((V2, V1), V1, parameters(V1, (V1, OTHER)), V1, id="unknown version available"),
        pytest.param((OTHER, V1), V1, parameters(V1, (OTHER, V1)), V1, id="not compatible"),
        pytest.param(
            (V2, V1), OTHER, parameters(OTHER, (OTHER, V2)), OTHER, id="first flight not compatible"
        ),
        pytest.param((V2,), V2, parameters(V2, (V2, V1)), V2, id="only ours"),
    ],
)
def test_choice_of_a_server(
    supported: tuple[int, ...], first_flight: int, told: TransportParameters, chosen: int
) -> None:  # RFC 9368 §2.3
    assert chosen == choose_compatible(supported, first_flight, told)


@pytest.mark.parametrize(
    ("first_flight", "told", "reason"),
    [
        pytest.param(V1, parameters(V2, (V1, V2)), "first flight", id="another version than the packet's"),
        pytest.param(V1, parameters(V1, (V2,)), "not among", id="chosen one not available"),
        pytest.param(V1, parameters(V1, ()), "not among", id="nothing available"),
    ],
)
def test_contradiction_of_a_client(
    first_flight: int, told: TransportParameters, reason: str
) -> None:  # RFC 9368 §4
    with pytest.raises(TransportError, match=reason) as caught:
        choose_compatible((V1, V2), first_flight, told)
    assert VERSION_NEGOTIATION_ERROR == caught.value.code


@pytest.mark.parametrize(
    ("supported", "original", "negotiated", "told", "after_negotiation", "valid"),
    [
        pytest.param((V1,), V1, V1, parameters(None), False, True, id="server of version 1 alone"),
        pytest.param((V2,), V2, V2, parameters(None), False, True, id="nothing changed"),
        pytest.param((V1, V2), V1, V2, parameters(None), False, False, id="changed without a word"),
        pytest.param((V2, V1), V2, V1, parameters(None), True, True, id="down to version 1, RFC 9368 §8"),
        pytest.param((V1, V2), V1, V2, parameters(None), True, False, id="up without a word"),
        pytest.param((V1, V2), V1, V2, parameters(V2, (V1, V2)), False, True, id="compatible upgrade"),
        pytest.param((V1, V2), V1, V1, parameters(V2, (V1, V2)), False, False, id="chosen is not spoken"),
        pytest.param((V2, V1), V2, V1, parameters(V1, (V1,)), True, True, id="server has only version 1"),
        pytest.param((V2, V1), V2, V1, parameters(V1, (V1, V2)), True, False, id="forged negotiation"),
        pytest.param(
            (V2, V1), V2, V1, parameters(V1, (OTHER, V1)), True, True, id="unknown one is no better"
        ),
    ],
)
def test_check_of_a_client(
    supported: tuple[int, ...],
    original: int,
    negotiated: int,
    told: TransportParameters,
    after_negotiation: bool,
    valid: bool,
) -> None:  # RFC 9368 §4
    if valid:
        check_negotiated(supported, original, negotiated, told, after_negotiation)
        return
    with pytest.raises(TransportError) as caught:
        check_negotiated(supported, original, negotiated, told, after_negotiation)
    assert VERSION_NEGOTIATION_ERROR == caught.value.code
