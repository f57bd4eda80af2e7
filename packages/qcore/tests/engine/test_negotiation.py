"""Transport parameters against the packets they came in. RFC 9000 §7.3."""

from dataclasses import replace

import pytest

from qcore.config import QuicConfig
from qcore.engine.negotiation import Negotiation
from qcore.errors import TransportError
from qcore.testing import Seeded
from qwire.constants import (
    TP_INITIAL_SOURCE_CONNECTION_ID,
    TP_ORIGINAL_DESTINATION_CONNECTION_ID,
    TP_RETRY_SOURCE_CONNECTION_ID,
    TP_STATELESS_RESET_TOKEN,
    TP_VERSION_INFORMATION,
    TRANSPORT_PARAMETER_ERROR,
    VERSION_1,
    VERSION_2,
    VERSION_NEGOTIATION_ERROR,
)
from qwire.transport_parameters import Parameter, TransportParameters

ORIGINAL = b"original"
CLIENT = b"client"
SERVER = b"server"
RETRY = b"retry"
CONFIG = replace(QuicConfig(), random=Seeded("negotiation"))


def side(*, is_client: bool, retry_cid: bytes | None = None, config: QuicConfig = CONFIG) -> Negotiation:
    negotiation = Negotiation(
        config,
        is_client=is_client,
        original_cid=ORIGINAL,
        local_cid=CLIENT if is_client else SERVER,
        version=VERSION_1,
    )
    negotiation.peer_cid = SERVER if is_client else CLIENT
    negotiation.retry_cid = retry_cid
    return negotiation


def encoded(**ids: bytes | None) -> bytes:
    numbers = {
        "original": TP_ORIGINAL_DESTINATION_CONNECTION_ID,
        "source": TP_INITIAL_SOURCE_CONNECTION_ID,
        "retry": TP_RETRY_SOURCE_CONNECTION_ID,
    }
    return TransportParameters(
        [Parameter(numbers[name], value) for name, value in ids.items() if value is not None]
    ).encode()


# What the client saw, and what the server tells: RFC 9000 figures 7 and 8.
OF_A_SERVER = [
    pytest.param(None, ORIGINAL, SERVER, None, "", id="right"),
    pytest.param(RETRY, ORIGINAL, SERVER, RETRY, "", id="right, with Retry"),
    pytest.param(None, b"other", SERVER, None, "original_destination", id="another original"),
    pytest.param(None, None, SERVER, None, "original_destination", id="no original"),
    pytest.param(None, b"", SERVER, None, "original_destination", id="empty original"),
    pytest.param(None, ORIGINAL, b"other", None, "initial_source", id="another source"),
    pytest.param(None, ORIGINAL, None, None, "initial_source", id="no source"),
    pytest.param(None, ORIGINAL, SERVER, RETRY, "retry_source", id="Retry that never came"),
    pytest.param(RETRY, ORIGINAL, SERVER, None, "retry_source", id="Retry not told"),
    pytest.param(RETRY, ORIGINAL, SERVER, b"other", "retry_source", id="another Retry"),
    pytest.param(RETRY, RETRY, SERVER, RETRY, "original_destination", id="Retry in place of the original"),
]


@pytest.mark.parametrize(("seen_retry", "original", "source", "retry", "fault"), OF_A_SERVER)
def test_ids_that_a_server_tells(
    seen_retry: bytes | None, original: bytes | None, source: bytes | None, retry: bytes | None, fault: str
) -> None:
    negotiation = side(is_client=True, retry_cid=seen_retry)
    data = encoded(original=original, source=source, retry=retry)
    if not fault:
        assert negotiation.read_peer(data) is negotiation.peer
        return
    with pytest.raises(TransportError, match=fault) as caught:
        negotiation.read_peer(data)
    assert TRANSPORT_PARAMETER_ERROR == caught.value.code
    assert negotiation.peer is None


@pytest.mark.parametrize(
    ("source", "valid"),
    [
        pytest.param(CLIENT, True, id="right"),
        pytest.param(b"other", False, id="another"),
        pytest.param(b"", False, id="empty"),
        pytest.param(None, False, id="absent"),
    ],
)
def test_id_that_a_client_tells(source: bytes | None, valid: bool) -> None:
    negotiation = side(is_client=False)
    if valid:
        negotiation.read_peer(encoded(source=source))
        return
    with pytest.raises(TransportError, match="initial_source") as caught:
        negotiation.read_peer(encoded(source=source))
    assert TRANSPORT_PARAMETER_ERROR == caught.value.code


def test_empty_connection_id_is_not_an_absent_one() -> None:
    negotiation = side(is_client=False)
    negotiation.peer_cid = b""
    with pytest.raises(TransportError):
        negotiation.read_peer(encoded())
    negotiation.read_peer(encoded(source=b""))


@pytest.mark.parametrize("data", [b"\x01", b"\x0f\x05abc", b"\xff" * 20], ids=["cut", "long", "junk"])
@pytest.mark.parametrize("is_client", [True, False])
def test_undecodable_parameters(is_client: bool, data: bytes) -> None:  # RFC 9000 §7.4
    with pytest.raises(TransportError) as caught:
        side(is_client=is_client).read_peer(data)
    assert TRANSPORT_PARAMETER_ERROR == caught.value.code


@pytest.mark.parametrize("is_client", [True, False])
def test_both_sides_agree_with_what_the_other_sends(is_client: bool) -> None:
    for retry_cid in (None, RETRY):
        server = side(is_client=False, retry_cid=retry_cid)
        client = side(is_client=True, retry_cid=retry_cid)
        client.read_peer(server.local_parameters(bytes(16)).encode())
        server.read_peer(client.local_parameters().encode())


def test_server_tells_ids_and_reset_token() -> None:
    told = side(is_client=False, retry_cid=RETRY).local_parameters(b"t" * 16)

    assert ORIGINAL == told.original_destination_connection_id
    assert SERVER == told.initial_source_connection_id
    assert RETRY == told.retry_source_connection_id
    assert b"t" * 16 == told.stateless_reset_token


def test_client_tells_nothing_that_only_a_server_may() -> None:
    told = side(is_client=True).local_parameters(b"t" * 16)

    assert CLIENT == told.initial_source_connection_id
    for number in (
        TP_ORIGINAL_DESTINATION_CONNECTION_ID,
        TP_RETRY_SOURCE_CONNECTION_ID,
        TP_STATELESS_RESET_TOKEN,
    ):
        assert told.get(number) is None


def test_server_moves_to_the_version_it_prefers() -> None:  # RFC 9368 §2.3
    server = side(is_client=False, config=replace(CONFIG, versions=(VERSION_2, VERSION_1)))
    server.read_peer(side(is_client=True).local_parameters().encode())

    assert VERSION_1 == server.original_version
    assert VERSION_2 == server.version
    assert (VERSION_2, (VERSION_2, VERSION_1)) == server.local_parameters().version_information


def test_wrong_version_information_has_its_own_code() -> None:  # RFC 9368 §4
    data = side(is_client=True).local_parameters()
    lie = data.replace(TP_VERSION_INFORMATION, VERSION_2.to_bytes(4, "big") * 2)
    with pytest.raises(TransportError) as caught:
        side(is_client=False).read_peer(lie.encode())
    assert VERSION_NEGOTIATION_ERROR == caught.value.code
