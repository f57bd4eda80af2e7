"""How the parts of a connection come to be, and what is looked at before there are any."""

from dataclasses import replace

import pytest

from qcore.config import QuicConfig
from qcore.engine.opening import FirstInitial
from qcore.errors import TransportError, UsageError
from qcore.router import Router
from qcore.testing import Pair
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME, START, WALL, throwaway_certificate
from qtls.client_hello import DefaultHello, HelloContext, HelloDraft
from qtls.config import ClientTLS, ServerTLS
from qtls.constants import SECP256R1, X25519
from qtls.initial import initial_keys
from qwire.constants import INTERNAL_ERROR, VERSION_1, VERSION_2, PacketType
from qwire.headers import parse_long_header

from .crafting import first_flight, long_header, protect

CID = b"original"


def initial(payload: bytes, *, number: int = 0, number_size: int = 1, version: int = VERSION_1) -> bytes:
    header = long_header(PacketType.INITIAL, version, CID, b"source", number, number_size, len(payload))
    return protect(initial_keys(CID, version).client_sealer, header, number, number_size, payload)


def is_genuine(data: bytes) -> bool:
    header = parse_long_header(data)
    first = FirstInitial(
        destination_cid=header.destination_cid,
        source_cid=header.source_cid,
        version=header.version,
        original_cid=header.destination_cid,
    )
    return first.is_genuine(data, header)


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
@pytest.mark.parametrize(
    ("number", "number_size"), [(0, 1), (255, 1), (0, 4), (65_535, 2), (1 << 24, 4), ((1 << 32) - 1, 4)]
)
def test_first_packet_is_opened(number: int, number_size: int, version: int) -> None:
    assert is_genuine(initial(bytes(100), number=number, number_size=number_size, version=version))


@pytest.mark.parametrize("size", [3, 4, 20, 1_100])
def test_first_packet_may_be_short(size: int) -> None:
    assert is_genuine(initial(bytes(size)))


def test_every_changed_byte_is_noticed() -> None:
    data = initial(bytes(20))
    header_end = parse_long_header(data).packet_number_offset
    # Of what is not authenticated by itself: lengths and version, which make it another packet.
    for index in [0, *range(6, 14), *range(15, 21), *range(header_end, len(data))]:
        changed = data[:index] + bytes((data[index] ^ 1,)) + data[index + 1 :]
        assert not is_genuine(changed), f"byte {index}"


def test_packet_of_a_server_is_not_genuine() -> None:
    payload = bytes(100)
    header = long_header(PacketType.INITIAL, VERSION_1, CID, b"source", 0, 1, len(payload))

    assert not is_genuine(protect(initial_keys(CID, VERSION_1).server_sealer, header, 0, 1, payload))


def test_real_first_flights_are_genuine() -> None:
    for seed in range(5):
        for data in first_flight(Pair(seed=seed).client, START):
            assert is_genuine(data)


class Broken:
    """A ClientHello without what QUIC needs."""

    def build(self, context: HelloContext) -> HelloDraft:
        draft = DefaultHello().build(context)
        draft.extensions = []
        return draft


def test_hello_that_cannot_be_sent_is_a_mistake_of_the_caller() -> None:
    tls = ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem)
    router = Router()
    for _ in range(2):
        with pytest.raises(UsageError, match="no ClientHello"):
            router.connect(
                SERVER_ADDRESS,
                tls=replace(tls, hello=Broken()),
                config=QuicConfig(),
                server_name=SERVER_NAME,
                now=START,
                wall_clock=WALL,
            )


class Once:
    """A ClientHello, but no second one."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.count = 0

    def build(self, context: HelloContext) -> HelloDraft:
        self.count += 1
        draft = DefaultHello(share_groups=(X25519,)).build(context)
        if self.count > 1:
            if self.error is not None:
                raise self.error
            draft.extensions = []
        return draft


@pytest.mark.parametrize(
    "error", [None, ValueError("secret"), KeyError("secret")], ids=["bad", "value", "key"]
)
@pytest.mark.parametrize("why", ["HelloRetryRequest", "Version Negotiation"])
def test_second_hello_that_cannot_be_made_ends_the_connection(why: str, error: Exception | None) -> None:
    made = throwaway_certificate()
    client_tls = ClientTLS(alpn=("test",), ca=made.ca_pem, groups=(X25519, SECP256R1), hello=Once(error))
    if why == "HelloRetryRequest":
        server_tls = ServerTLS(certs=made.chain, alpn=("test",), groups=(SECP256R1,))
        pair = Pair(client_tls=client_tls, server_tls=server_tls)
    else:
        pair = Pair(
            client_tls=client_tls,
            client_config=QuicConfig(versions=(VERSION_2, VERSION_1)),
            server_config=QuicConfig(versions=(VERSION_1,)),
        )
    pair.run_until(lambda: pair.client.is_closed)

    assert isinstance(pair.client.error, TransportError)
    assert INTERNAL_ERROR == pair.client.error.code
    assert "secret" not in pair.client.error.reason
    assert pair.client.error.__cause__ is not None


def test_callback_of_a_server_that_raises_ends_its_connection_only() -> None:
    def select(name: str | None, alpn: tuple[str, ...], hello: bytes) -> ServerTLS | None:
        if "bad" in alpn:
            raise KeyError("secret")
        return None

    made = throwaway_certificate()
    server_tls = ServerTLS(certs=made.chain, alpn=("test",), select=select)
    pair = Pair(client_tls=ClientTLS(alpn=("bad", "test"), ca=made.ca_pem), server_tls=server_tls)
    pair.run_until(lambda: pair.client.is_closed)
    assert isinstance(pair.client.error, TransportError)
    assert INTERNAL_ERROR == pair.client.error.code
    assert "secret" not in pair.client.error.reason

    other = Pair(server_tls=server_tls)
    other.run_until(lambda: other.client.is_confirmed)
