"""Every violation of a peer has its code: the checklist of h3spec, and the MUSTs that it leaves out.

A client and a server take turns at being bad. RFC 9000 §20.1.
"""

import pytest

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import TransportError
from qcore.spaces import APPLICATION, INITIAL
from qcore.testing import Pair
from qcore.testing.pair import throwaway_certificate
from qtls.config import ClientTLS
from qtls.constants import EXT_QUIC_TRANSPORT_PARAMETERS, X25519
from qwire.buffer import Writer
from qwire.constants import (
    CONNECTION_ID_LIMIT_ERROR,
    CRYPTO_BUFFER_EXCEEDED,
    CRYPTO_ERROR,
    FINAL_SIZE_ERROR,
    FLOW_CONTROL_ERROR,
    FRAME_ENCODING_ERROR,
    PROTOCOL_VIOLATION,
    STREAM_LIMIT_ERROR,
    STREAM_STATE_ERROR,
    TRANSPORT_PARAMETER_ERROR,
    PacketType,
)
from qwire.frames import (
    AckFrame,
    CryptoFrame,
    Frame,
    HandshakeDoneFrame,
    MaxStreamDataFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    ResetStreamFrame,
    RetireConnectionIdFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
)
from qwire.transport_parameters import Parameter, TransportParameters

from .crafting import Cheat, Content, confirmed_pair, craft, early_pair, halfway_pair, resumed_pair

UNEXPECTED_MESSAGE = CRYPTO_ERROR + 10
MISSING_EXTENSION = CRYPTO_ERROR + 109
NO_APPLICATION_PROTOCOL = CRYPTO_ERROR + 120
TOKEN = bytes(16)


def cid(number: int) -> bytes:
    return b"another" + bytes((number,))


def new_id(sequence: int, retire_prior_to: int = 0, value: bytes | None = None) -> NewConnectionIdFrame:
    return NewConnectionIdFrame(sequence, retire_prior_to, cid(sequence) if value is None else value, TOKEN)


def tls_message(kind: int, body: bytes = b"") -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


# In 1-RTT packets, after the handshake. Stream IDs are those of a client that is bad; a server's have the lowest bit
# turned.
IN_1RTT = [
    pytest.param(StreamFrame(0, 100_000_000, b"x", False), FLOW_CONTROL_ERROR, id="T1 beyond the window"),
    pytest.param(StreamFrame(1_000_000_000, 0, b"x", False), STREAM_LIMIT_ERROR, id="T2 beyond the limit"),
    pytest.param(b"\x20", FRAME_ENCODING_ERROR, id="T11 unknown frame type"),
    pytest.param(b"", PROTOCOL_VIOLATION, id="T12 no frames"),
    pytest.param(ResetStreamFrame(3, 0, 0), STREAM_STATE_ERROR, id="T16 RESET_STREAM of a send-only stream"),
    pytest.param(StopSendingFrame(101, 0), STREAM_STATE_ERROR, id="T17 STOP_SENDING of no stream"),
    pytest.param(StreamFrame(1, 0, b"x", False), STREAM_STATE_ERROR, id="T19 STREAM of a stream not opened"),
    pytest.param(StreamFrame(3, 0, b"x", False), STREAM_STATE_ERROR, id="T20 STREAM of a send-only stream"),
    pytest.param(MaxStreamDataFrame(101, 1), STREAM_STATE_ERROR, id="T21 MAX_STREAM_DATA of no stream"),
    pytest.param(
        MaxStreamDataFrame(2, 1), STREAM_STATE_ERROR, id="T22 MAX_STREAM_DATA of a read-only stream"
    ),
    pytest.param(
        b"\x12\xd0\x00\x00\x00\x00\x00\x00\x01", FRAME_ENCODING_ERROR, id="T23 MAX_STREAMS above 2^60"
    ),
    pytest.param(
        b"\x16\xd0\x00\x00\x00\x00\x00\x00\x01", FRAME_ENCODING_ERROR, id="T24 STREAMS_BLOCKED above 2^60"
    ),
    pytest.param(
        b"\x18\x09\x0a\x08" + cid(9) + TOKEN, FRAME_ENCODING_ERROR, id="T25 retire_prior_to above sequence"
    ),
    pytest.param(b"\x18\x09\x00\x00" + TOKEN, FRAME_ENCODING_ERROR, id="T26 empty connection ID"),
    # What h3spec leaves out.
    pytest.param(
        [StreamFrame(0, 0, b"four", True), StreamFrame(0, 4, b"x", False)],
        FINAL_SIZE_ERROR,
        id="data beyond the final size",  # RFC 9000 §4.5
    ),
    pytest.param(
        [StreamFrame(0, 0, b"four", True), ResetStreamFrame(0, 0, 5)],
        FINAL_SIZE_ERROR,
        id="final size changes by RESET_STREAM",
    ),
    pytest.param(
        [StreamFrame(0, 4, b"", True), StreamFrame(0, 3, b"", True)],
        FINAL_SIZE_ERROR,
        id="final size changes by FIN",
    ),
    pytest.param(
        [StreamFrame(0, 0, b"four", False), StreamFrame(0, 3, b"", True)],
        FINAL_SIZE_ERROR,
        id="final size below the data",
    ),
    pytest.param(ResetStreamFrame(0, 0, 1 << 40), FLOW_CONTROL_ERROR, id="RESET_STREAM beyond the window"),
    pytest.param(
        ResetStreamFrame(4 * (1 << 20), 0, 0), STREAM_LIMIT_ERROR, id="RESET_STREAM beyond the limit"
    ),
    pytest.param(StopSendingFrame(4 * (1 << 20), 0), STREAM_LIMIT_ERROR, id="STOP_SENDING beyond the limit"),
    pytest.param(
        StopSendingFrame(2, 0), STREAM_STATE_ERROR, id="STOP_SENDING of a read-only stream"
    ),  # RFC 9000 §19.5
    pytest.param(
        StreamDataBlockedFrame(3, 0), STREAM_STATE_ERROR, id="STREAM_DATA_BLOCKED of a send-only stream"
    ),  # RFC 9000 §19.13
    pytest.param(StreamDataBlockedFrame(101, 0), STREAM_STATE_ERROR, id="STREAM_DATA_BLOCKED of no stream"),
    pytest.param(
        StreamFrame(2, (1 << 62) - 1, b"xx", False), FRAME_ENCODING_ERROR, id="stream offset above 2^62"
    ),  # RFC 9000 §19.8: or FLOW_CONTROL_ERROR
    pytest.param(
        new_id(1, value=b"different"), PROTOCOL_VIOLATION, id="one sequence, two connection IDs"
    ),  # RFC 9000 §19.15
    pytest.param(
        [new_id(8, 4), new_id(9, value=cid(8))], PROTOCOL_VIOLATION, id="one connection ID, two sequences"
    ),
    pytest.param(
        [new_id(number) for number in range(8, 10)], CONNECTION_ID_LIMIT_ERROR, id="too many connection IDs"
    ),  # RFC 9000 §5.1.1
    pytest.param(RetireConnectionIdFrame(0), PROTOCOL_VIOLATION, id="retire the connection ID in use"),
    pytest.param(RetireConnectionIdFrame(99), PROTOCOL_VIOLATION, id="retire what was never issued"),
    pytest.param(
        AckFrame([(0, 1_000_000)], 0), PROTOCOL_VIOLATION, id="ACK of what was never sent"
    ),  # RFC 9000 §13.1
    pytest.param(
        CryptoFrame(65_536, b"x"), CRYPTO_BUFFER_EXCEEDED, id="CRYPTO beyond the buffer"
    ),  # RFC 9000 §7.5
    pytest.param(b"\x40\x01", PROTOCOL_VIOLATION, id="frame type in two bytes"),  # RFC 9000 §12.4
    pytest.param(b"\x1a\x00", FRAME_ENCODING_ERROR, id="frame cut"),
    pytest.param(b"\x02\x00\x00\x00\x01", FRAME_ENCODING_ERROR, id="ACK range below 0"),
    pytest.param(
        PathResponseFrame(bytes(8)), None, id="PATH_RESPONSE to nothing"
    ),  # RFC 9000 §19.18: MAY be a violation; it is overlooked
]


def turned(content: Content) -> Content:
    """The same with the streams of a server."""
    if isinstance(content, bytes):
        return content
    frames: list[Frame] = [content] if isinstance(content, Frame) else list(content)
    result: list[Frame] = []
    for frame in frames:
        if hasattr(frame, "stream_id"):
            values = [getattr(frame, name) for name in type(frame).FIELDS]
            values[type(frame).FIELDS.index("stream_id")] ^= 1
            frame = type(frame)(*values)
        result.append(frame)
    return result


@pytest.mark.parametrize(("content", "code"), IN_1RTT)
def test_violation_of_a_client(content: Content, code: int | None) -> None:
    cheat = Cheat(confirmed_pair(), "client")
    cheat.send(PacketType.ONE_RTT, content)

    assert code == cheat.code == cheat.told()


@pytest.mark.parametrize(("content", "code"), IN_1RTT)
def test_violation_of_a_server(content: Content, code: int | None) -> None:
    cheat = Cheat(confirmed_pair(), "server")
    cheat.send(PacketType.ONE_RTT, turned(content))

    assert code == cheat.code == cheat.told()


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(tls_message(24, b"\0"), id="T29 KeyUpdate"),  # RFC 9001 §6
        pytest.param(tls_message(5), id="EndOfEarlyData"),  # RFC 9001 §8.3
        pytest.param(tls_message(99), id="unknown message"),
    ],
)
def test_wrong_tls_message_after_the_handshake(side: str, message: bytes) -> None:
    cheat = Cheat(confirmed_pair(), side)
    offset = cheat.victim.parts.spaces[APPLICATION].crypto.received_size
    cheat.send(PacketType.ONE_RTT, CryptoFrame(offset, message))

    assert UNEXPECTED_MESSAGE == cheat.code == cheat.told()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(NewTokenFrame(b"token"), id="T18 NEW_TOKEN"),  # RFC 9000 §19.7
        pytest.param(HandshakeDoneFrame(), id="T27 HANDSHAKE_DONE"),  # RFC 9000 §19.20
    ],
)
def test_frame_that_only_a_server_sends(frame: Frame) -> None:
    cheat = Cheat(confirmed_pair(), "client")
    cheat.send(PacketType.ONE_RTT, frame)

    assert PROTOCOL_VIOLATION == cheat.code == cheat.told()


def test_empty_token_of_a_server() -> None:  # RFC 9000 §19.7
    cheat = Cheat(confirmed_pair(), "server")
    cheat.send(PacketType.ONE_RTT, b"\x07\x00")

    assert FRAME_ENCODING_ERROR == cheat.code


# Before the handshake is complete

EARLY_CONTENT = [
    pytest.param(b"", PROTOCOL_VIOLATION, id="T12 no frames"),
    pytest.param(PathChallengeFrame(bytes(8)), PROTOCOL_VIOLATION, id="T14 PATH_CHALLENGE"),
    pytest.param(b"\x20", FRAME_ENCODING_ERROR, id="T11 unknown frame type"),
    pytest.param(StreamFrame(0, 0, b"x", False), PROTOCOL_VIOLATION, id="STREAM"),
    pytest.param(b"\x1d\x00\x00", PROTOCOL_VIOLATION, id="CONNECTION_CLOSE of the application"),
    pytest.param(AckFrame([(0, 1_000)], 0), PROTOCOL_VIOLATION, id="ACK of what was never sent"),
    pytest.param(CryptoFrame(1 << 20, b"x"), CRYPTO_BUFFER_EXCEEDED, id="CRYPTO beyond the buffer"),
]


# An Initial packet of a client has to be padded, and is not empty then.
@pytest.mark.parametrize(("content", "code"), EARLY_CONTENT[1:])
def test_violation_of_a_client_in_an_initial_packet(content: Content, code: int) -> None:
    cheat = Cheat(early_pair(), "client")
    cheat.send(PacketType.INITIAL, content, full=True)

    assert code == cheat.code


@pytest.mark.parametrize(("content", "code"), EARLY_CONTENT)
def test_violation_of_a_client_in_a_handshake_packet(content: Content, code: int) -> None:
    cheat = Cheat(halfway_pair(), "client")
    cheat.send(PacketType.HANDSHAKE, content)

    assert code == cheat.code == cheat.told()


@pytest.mark.parametrize("packet_type", [PacketType.INITIAL, PacketType.HANDSHAKE])
@pytest.mark.parametrize(("content", "code"), EARLY_CONTENT)
def test_violation_of_a_server_in_the_handshake(packet_type: PacketType, content: Content, code: int) -> None:
    cheat = Cheat(early_pair() if packet_type is PacketType.INITIAL else halfway_pair(), "server")
    cheat.send(packet_type, content)

    assert code == cheat.code == cheat.told()


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    ("packet_type", "reserved"),
    [
        pytest.param(PacketType.INITIAL, 0x04, id="Initial"),
        pytest.param(PacketType.HANDSHAKE, 0x08, id="T13 Handshake"),
        pytest.param(PacketType.ONE_RTT, 0x10, id="T15 short header"),
        pytest.param(PacketType.ONE_RTT, 0x08, id="short header, the other bit"),
    ],
)
def test_reserved_bits(side: str, packet_type: PacketType, reserved: int) -> None:  # RFC 9000 §17.2, §17.3.1
    make = {
        PacketType.INITIAL: early_pair,
        PacketType.HANDSHAKE: halfway_pair,
        PacketType.ONE_RTT: confirmed_pair,
    }[packet_type]
    cheat = Cheat(make(), side)
    cheat.send(packet_type, PingFrame(), reserved=reserved, full=True)

    assert PROTOCOL_VIOLATION == cheat.code


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    "reserved",
    [pytest.param(0x08, id="of a long header"), pytest.param(0x10, id="of a short header")],
)
def test_reserved_bits_count_only_in_genuine_packets(side: str, reserved: int) -> None:  # RFC 9001 §5.4
    is_long = reserved == 0x08
    cheat = Cheat(halfway_pair() if is_long else confirmed_pair(), side)
    packet_type = PacketType.HANDSHAKE if is_long else PacketType.ONE_RTT
    data = craft(cheat.engine, packet_type, bytes(100) + b"\x01", reserved=reserved)
    cheat.deliver(data[:-1] + bytes((data[-1] ^ 1,)))

    assert cheat.code is None


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(tls_message(24, b"\0"), id="T28 KeyUpdate"),  # RFC 9001 §6
        pytest.param(tls_message(5), id="T33 EndOfEarlyData"),  # RFC 9001 §8.3
        pytest.param(tls_message(99), id="unknown message"),
    ],
)
def test_wrong_tls_message_in_the_handshake(side: str, message: bytes) -> None:
    if side == "client":
        cheat = Cheat(halfway_pair(), side)
    else:
        # The client needs the Handshake keys, and not yet the server's messages that they protect.
        cheat = Cheat(early_pair(), side)
        for packet in cheat.pair.server_trace.sent:
            if packet.packet_type is PacketType.INITIAL:
                cheat.send(
                    PacketType.INITIAL, [frame for frame in packet.frames if isinstance(frame, CryptoFrame)]
                )
    cheat.send(PacketType.HANDSHAKE, CryptoFrame(0, message))

    assert UNEXPECTED_MESSAGE == cheat.code


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CryptoFrame(0, b"x"), id="T34 CRYPTO"),
        pytest.param(AckFrame([(0, 0)], 0), id="ACK"),
        pytest.param(HandshakeDoneFrame(), id="HANDSHAKE_DONE"),
        pytest.param(NewTokenFrame(b"token"), id="NEW_TOKEN"),
        pytest.param(PathResponseFrame(bytes(8)), id="PATH_RESPONSE"),
        pytest.param(b"", id="no frames"),
    ],
)
def test_frame_that_is_not_for_early_data(content: Content) -> None:  # RFC 9000 §12.4, §12.5
    cheat = Cheat(resumed_pair(), "client")
    cheat.send(PacketType.ZERO_RTT, content)

    assert PROTOCOL_VIOLATION == cheat.code


# Every frame type

KNOWN = {*range(0x20), 0x24, 0x30, 0x31, 0xAF}
IN_THE_HANDSHAKE = {0x00, 0x01, 0x02, 0x03, 0x06, 0x1C}
MAKE = {
    PacketType.INITIAL: early_pair,
    PacketType.HANDSHAKE: halfway_pair,
    PacketType.ONE_RTT: confirmed_pair,
}


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("packet_type", list(MAKE))
def test_every_frame_type_in_every_packet_type(packet_type: PacketType, side: str) -> None:  # RFC 9000 §12.4
    cheat = Cheat(MAKE[packet_type](), side)
    for kind in [*range(0x80), 0xAF, 0xB0, 0x3FFF, 0x4000, (1 << 62) - 1]:
        writer = Writer()
        writer.write_varint(kind)
        # Zeros are the smallest value of every field, and PADDING once a frame is over.
        cheat.send(packet_type, writer.getvalue() + bytes(60), full=packet_type is PacketType.INITIAL)
        error = cheat.victim.error  # none after a CONNECTION_CLOSE without an error
        code = error.code if isinstance(error, TransportError) else None
        if kind not in KNOWN:
            assert FRAME_ENCODING_ERROR == code, f"frame type 0x{kind:x}"
        elif packet_type is not PacketType.ONE_RTT and kind not in IN_THE_HANDSHAKE:
            assert PROTOCOL_VIOLATION == code, f"frame type 0x{kind:x}"
        if cheat.victim.is_closed:
            cheat = Cheat(MAKE[packet_type](), side)


# Transport parameters

VALID = [
    Parameter(0x04, bytes.fromhex("80100000")),
    Parameter(0x0F, b""),  # filled in
]


def with_parameters(*entries: Parameter) -> QuicConfig:
    return QuicConfig(parameters=TransportParameters([*VALID, *entries]))


BAD_OF_BOTH = [
    pytest.param(Parameter(0x03, bytes.fromhex("44af")), id="T8 max_udp_payload_size 1199"),
    pytest.param(Parameter(0x0A, b"\x15"), id="T9 ack_delay_exponent 21"),
    pytest.param(Parameter(0x0B, bytes.fromhex("80004000")), id="T10 max_ack_delay 2^14"),
    pytest.param(Parameter(0x0E, b"\x01"), id="active_connection_id_limit 1"),  # RFC 9000 §18.2
    pytest.param(Parameter(0x04, b"\x01"), id="a second initial_max_data"),  # RFC 9000 §7.4
    pytest.param(Parameter(0x03, b"\x40"), id="varint cut"),
    pytest.param(Parameter(0x03, b"\x44\xb0\x00"), id="bytes after the varint"),
    pytest.param(Parameter(0x08, bytes.fromhex("d000000000000001")), id="initial_max_streams above 2^60"),
    pytest.param(Parameter(0x0C, b"\x00"), id="disable_active_migration with a value"),
]
OF_A_SERVER = [
    pytest.param(Parameter(0x00, bytes(8)), id="T4 original_destination_connection_id"),
    pytest.param(Parameter(0x0D, bytes(24) + b"\x08" + bytes(8) + bytes(16)), id="T5 preferred_address"),
    pytest.param(Parameter(0x10, bytes(8)), id="T6 retry_source_connection_id"),
    pytest.param(Parameter(0x02, bytes(16)), id="T7 stateless_reset_token"),
]


@pytest.mark.parametrize("entry", [*BAD_OF_BOTH, *OF_A_SERVER])
def test_transport_parameter_of_a_client(entry: Parameter) -> None:
    pair = Pair(client_config=with_parameters(entry))
    pair.run_until(lambda: pair.client.is_closed)

    assert pair.server is not None
    assert TRANSPORT_PARAMETER_ERROR == Cheat(pair, "client").code


@pytest.mark.parametrize("entry", BAD_OF_BOTH)
def test_transport_parameter_of_a_server(entry: Parameter) -> None:
    pair = Pair(server_config=with_parameters(entry))
    pair.run_until(lambda: pair.client.is_closed)

    assert TRANSPORT_PARAMETER_ERROR == Cheat(pair, "server").code


def test_missing_initial_source_connection_id() -> None:  # T3
    pair = Pair(client_config=QuicConfig(parameters=TransportParameters(VALID[:1])))
    pair.run_until(lambda: pair.client.is_closed)

    assert TRANSPORT_PARAMETER_ERROR == Cheat(pair, "client").code


def test_missing_initial_source_connection_id_of_a_server() -> None:
    pair = Pair(server_config=QuicConfig(parameters=TransportParameters(VALID[:1])))
    pair.run_until(lambda: pair.client.is_closed)

    assert TRANSPORT_PARAMETER_ERROR == Cheat(pair, "server").code


@pytest.mark.parametrize(
    "number", [pytest.param(None, id="T31 absent"), pytest.param(0xFFA5, id="T32 under the old number")]
)
def test_hello_without_transport_parameters(number: int | None) -> None:  # RFC 9001 §8.2
    tls = ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem, groups=(X25519,))
    pair = Pair(client_tls=tls)
    hello = renamed(pair.client.parts.spaces[INITIAL].crypto.pending()[1], number)
    data = craft(pair.client, PacketType.INITIAL, CryptoFrame(0, hello), full=True)
    (server,) = pair.router.receive([Datagram(data, pair.client_address)], pair.now)

    assert isinstance(server.error, TransportError)
    assert MISSING_EXTENSION == server.error.code


def renamed(hello: bytes, number: int | None) -> bytes:
    """A ClientHello whose transport parameters have another extension number, or are left out."""
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at]
    extensions = b""
    position = at + 2
    while position < len(hello):
        kind = int.from_bytes(hello[position : position + 2], "big")
        stop = position + 4 + int.from_bytes(hello[position + 2 : position + 4], "big")
        if kind != EXT_QUIC_TRANSPORT_PARAMETERS:
            extensions += hello[position:stop]
        elif number is not None:
            extensions += number.to_bytes(2, "big") + hello[position + 2 : stop]
        position = stop
    body = hello[4:at] + len(extensions).to_bytes(2, "big") + extensions
    return tls_message(1, body)


@pytest.mark.parametrize(
    "alpn", [pytest.param(("other",), id="T30 no common protocol"), pytest.param((), id="none offered")]
)
def test_hello_without_a_common_protocol(alpn: tuple[str, ...]) -> None:  # RFC 9001 §8.1
    pair = Pair(client_tls=ClientTLS(alpn=alpn, ca=throwaway_certificate().ca_pem))
    pair.run_until(lambda: pair.client.is_closed)

    assert NO_APPLICATION_PROTOCOL == Cheat(pair, "client").code
