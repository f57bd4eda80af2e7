"""Packets that no honest engine sends, sealed with the keys of one.

A `Cheat` is one end of a connection turned bad: it seals whatever it is given with the keys of its engine, and
hands it to the other end.
"""

from collections.abc import Sequence
from typing import Final, final

from qcore.batch import Datagram, SendBatch
from qcore.config import QuicConfig
from qcore.engine.engine import QuicEngine
from qcore.errors import TransportError
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL
from qcore.testing import Pair
from qcore.testing.pair import SERVER_ADDRESS, WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qtls.protection import Sealer
from qtls.resumption import MemorySessionStore
from qwire.buffer import Writer
from qwire.constants import VERSION_2, PacketType
from qwire.frames import Frame

SPACE_OF: Final = {
    PacketType.INITIAL: INITIAL,
    PacketType.ZERO_RTT: APPLICATION,
    PacketType.HANDSHAKE: HANDSHAKE,
    PacketType.ONE_RTT: APPLICATION,
}
# RFC 9000 §17.2, table 5; RFC 9369 §3.2 turns them by one.
LONG_BITS: Final = {PacketType.INITIAL: 0, PacketType.ZERO_RTT: 1, PacketType.HANDSHAKE: 2}
TAG_SIZE: Final = 16
FULL_SIZE: Final = 1200

Content = bytes | Frame | Sequence[Frame]


def payload_of(content: Content) -> bytes:
    """The bytes of some frames, or the bytes themselves."""
    if isinstance(content, bytes):
        return content
    writer = Writer()
    for frame in [content] if isinstance(content, Frame) else content:
        frame.append(writer)
    return writer.getvalue()


def sealer_of(engine: QuicEngine, packet_type: PacketType) -> Sealer:
    """The key with which an engine seals packets of a type."""
    space = engine.parts.spaces[SPACE_OF[packet_type]]
    if packet_type is PacketType.ONE_RTT:
        sealer = space.phases.sealer if space.phases is not None else None
    elif packet_type is PacketType.ZERO_RTT:
        sealer = space.early_sealer
    else:
        sealer = space.sealer
    assert sealer is not None, f"no keys for {packet_type}"
    return sealer


def long_header(
    packet_type: PacketType,
    version: int,
    destination_cid: bytes,
    source_cid: bytes,
    packet_number: int,
    packet_number_size: int,
    payload_size: int,
    *,
    token: bytes = b"",
    reserved: int = 0,
) -> bytes:
    """A long header without protection, written by hand. RFC 9000 §17.2."""
    bits = (LONG_BITS[packet_type] + (version == VERSION_2)) % 4
    header = bytes((0xC0 | bits << 4 | reserved | packet_number_size - 1,)) + version.to_bytes(4, "big")
    header += bytes((len(destination_cid),)) + destination_cid + bytes((len(source_cid),)) + source_cid
    if packet_type is PacketType.INITIAL:
        header += (0x4000 | len(token)).to_bytes(2, "big") + token
    length = packet_number_size + payload_size + TAG_SIZE
    return header + (0x4000 | length).to_bytes(2, "big") + number_bytes(packet_number, packet_number_size)


def short_header(
    destination_cid: bytes,
    packet_number: int,
    packet_number_size: int,
    *,
    key_phase: bool = False,
    spin: bool = False,
    reserved: int = 0,
) -> bytes:
    """A short header without protection, written by hand. RFC 9000 §17.3.1."""
    first = 0x40 | spin << 5 | reserved | key_phase << 2 | packet_number_size - 1
    return bytes((first,)) + destination_cid + number_bytes(packet_number, packet_number_size)


def number_bytes(packet_number: int, size: int) -> bytes:
    return (packet_number % (1 << 8 * size)).to_bytes(size, "big")


def protect(sealer: Sealer, header: bytes, packet_number: int, size: int, payload: bytes) -> bytes:
    """Seal a payload and mask the header. RFC 9001 §5.3, §5.4."""
    ciphertext = sealer.seal(packet_number, header, payload)
    mask = sealer.masks(ciphertext[4 - size : 20 - size])
    first = header[0] ^ (mask[0] & (0x0F if header[0] & 0x80 else 0x1F))
    number = bytes(a ^ b for a, b in zip(header[-size:], mask[1:], strict=False))
    return bytes((first,)) + header[1:-size] + number + ciphertext


def craft(
    engine: QuicEngine,
    packet_type: PacketType,
    content: Content,
    *,
    packet_number: int | None = None,
    packet_number_size: int = 4,
    destination_cid: bytes | None = None,
    source_cid: bytes | None = None,
    version: int | None = None,
    reserved: int = 0,
    full: bool = False,
) -> bytes:
    """A packet of an engine, with whatever in it.

    Args:
        packet_number: the next one of the engine unless given.
        reserved: bits to set in the first byte.
        full: pad with PADDING frames to a datagram of 1200 bytes.
    """
    packer = engine.parts.packer
    number = (
        engine.parts.recovery.take_packet_number(SPACE_OF[packet_type])
        if packet_number is None
        else packet_number
    )
    target = packer.headers.destination_cid if destination_cid is None else destination_cid
    payload = payload_of(content)
    size = packet_number_size
    if packet_type is PacketType.ONE_RTT:
        phases = engine.parts.spaces[APPLICATION].phases
        header = short_header(
            target, number, size, key_phase=phases is not None and phases.send_phase, reserved=reserved
        )
        if full:
            payload += bytes(FULL_SIZE - len(header) - TAG_SIZE - len(payload))
    else:
        source = packer.headers.source_cid if source_cid is None else source_cid
        spoken = packer.headers.version if version is None else version

        def write(payload_size: int) -> bytes:
            return long_header(
                packet_type, spoken, target, source, number, size, payload_size, reserved=reserved
            )

        if full:
            payload += bytes(FULL_SIZE - len(write(0)) - TAG_SIZE - len(payload))
        header = write(len(payload))
    return protect(sealer_of(engine, packet_type), header, number, size, payload)


def first_flight(engine: QuicEngine, now: float) -> list[bytes]:
    """The datagrams that an engine wants to send now."""
    batch = SendBatch()
    engine.transmit(now, batch)
    return [datagram.data for datagram in batch.datagrams()]


@final
class Cheat:
    """One side of a pair sends what it likes.

    Args:
        side: "client" or "server", whichever is bad.
    """

    def __init__(self, pair: Pair, side: str) -> None:
        assert pair.server is not None
        self.pair = pair
        self.side = side
        self.engine, self.victim = (
            (pair.client, pair.server) if side == "client" else (pair.server, pair.client)
        )
        self.address = pair.client_address if side == "client" else SERVER_ADDRESS

    def deliver(self, *datagrams: bytes) -> None:
        """Hand datagrams to the victim, all of which arrive at once."""
        self.victim.receive([Datagram(data, self.address) for data in datagrams], self.pair.now)

    def send(self, packet_type: PacketType, content: Content, **options: object) -> None:
        """Craft a packet and hand it to the victim."""
        self.deliver(craft(self.engine, packet_type, content, **options))  # type: ignore[arg-type]  # as craft

    def answer(self) -> list[bytes]:
        """What the victim sends now."""
        return first_flight(self.victim, self.pair.now)

    @property
    def code(self) -> int | None:
        """The code with which the victim ended the connection; None while it lives."""
        error = self.victim.error
        if error is None:
            assert not self.victim.is_closed
            return None
        assert isinstance(error, TransportError), error
        assert error.is_local, error
        return error.code

    def told(self) -> int | None:
        """The code in the CONNECTION_CLOSE that the victim sends now; None if it sends none."""
        address = SERVER_ADDRESS if self.side == "client" else self.pair.client_address
        self.engine.receive([Datagram(data, address) for data in self.answer()], self.pair.now)
        error = self.engine.error
        if error is None:
            return None
        assert isinstance(error, TransportError), error
        assert not error.is_local, error
        return error.code


# Whoever crafts packets takes numbers that its own engine has not sent: ACKs of them had better wait.
PATIENT: Final = QuicConfig(hasty_acks=False)


def confirmed_pair(**options: object) -> Pair:
    """Both sides know that the handshake is complete, and nothing is on its way."""
    pair = Pair(**{"client_config": PATIENT, "server_config": PATIENT, **options})  # type: ignore[arg-type]  # the options of Pair
    pair.run_until(lambda: pair.client.is_confirmed and pair.server is not None and pair.server.is_confirmed)
    pair.run_for(1.0)
    return pair


def halfway_pair(**options: object) -> Pair:
    """The client has completed the handshake, and the server has not heard of that yet."""
    pair = Pair(**options)  # type: ignore[arg-type]  # the options of Pair
    pair.run_until(lambda: pair.client.is_established)
    assert pair.server is not None
    assert not pair.server.is_established
    return pair


def early_pair(**options: object) -> Pair:
    """The server has answered, and the client has not heard of that yet."""
    pair = Pair(**options)  # type: ignore[arg-type]  # the options of Pair
    pair.run_until(lambda: pair.server is not None)
    return pair


def resumed_pair() -> Pair:
    """A client that resumes a session sends 0-RTT data, and the server has answered its first flight."""
    made = throwaway_certificate()
    server_tls = ServerTLS(certs=made.chain, alpn=("test",), early_data=True)
    client_tls = ClientTLS(alpn=("test",), ca=made.ca_pem, sessions=MemorySessionStore())
    confirmed_pair(client_tls=client_tls, server_tls=server_tls)
    pair = Pair(client_tls=client_tls, server_tls=server_tls, seed=1, wall=WALL + 60)
    assert pair.client.can_send_early
    pair.run_until(lambda: pair.server is not None)
    return pair
