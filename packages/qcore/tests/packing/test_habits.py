"""Every habit reaches the wire, and a handshake completes with each."""

from dataclasses import fields, replace
from typing import Any, Final

import pytest

from qcore.batch import Datagram
from qcore.config import QuicConfig
from qcore.errors import HandshakeTimeout
from qcore.packing.builder import PacketBuilder
from qcore.packing.habits import PacketHabits
from qcore.packing.initial_flight import InitialPolicy
from qcore.packing.source import FrameSource
from qcore.spaces import INITIAL
from qcore.testing import LinkConfig, Pair
from qcore.testing.pair import SERVER_ADDRESS, WALL, throwaway_certificate
from qtls.config import ClientTLS, ServerTLS
from qtls.initial import initial_keys
from qtls.resumption import MemorySessionStore
from qwire.constants import VERSION_1, PacketType
from qwire.frames import (
    AckFrame,
    ConnectionCloseFrame,
    CryptoFrame,
    NewConnectionIdFrame,
    PingFrame,
    StreamFrame,
)
from qwire.headers import parse_long_header

from .opening import open_flight

BASE: Final = InitialPolicy(initial_rtt=0.1)
SPIN_BIT: Final = 0x20
# One of each that deviates from the default; answers_each_datagram concerns the socket's driver alone.
VALUES: Final[dict[str, Any]] = {
    "spin": "zero",
    "omits_last_length": True,
    "handshake_ack_threshold": 2,
    "handshake_ack_delay": 0.001,
    "reports_handshake_delay": True,
    "answers_each_datagram": True,
    "acks_before_finished": True,
    "repeats_hello": True,
    "unanswered_number_size": 2,
    "early_data": "last",
    "ignores_first_gap": True,
    "issues_early": True,
    "smallest_cut": 1,
    "answers_close": True,
    "streams_by_number": True,  # test_scheduler
    "pads_last": True,
    "heeds_any_negotiation": True,  # test_restart
    "silence_limit": 4.0,
    "silence_reason": "nobody after {us}us",
}


class Taped:
    """A pair of engines, and what the client put on the wire."""

    def __init__(self, policy: InitialPolicy, **options: Any) -> None:
        self.pair = Pair(client_config=QuicConfig(initial=policy, pmtud=False), **options)
        self.datagrams: list[bytes] = []
        self.pair.to_server.filter(self._keep)

    def _keep(self, datagram: Datagram) -> bool:
        self.datagrams.append(datagram.data)
        return True

    def confirm(self) -> "Taped":
        pair = self.pair
        pair.run_until(lambda: pair.client.is_confirmed)
        return self

    def sent(self, kind: PacketType) -> list[tuple[str, ...]]:
        """Names of the frames of each packet of a kind."""
        return [
            tuple(type(frame).__name__ for frame in packet.frames)
            for packet in self.pair.client_trace.sent
            if packet.packet_type is kind
        ]

    @property
    def spins(self) -> list[bool]:
        return [bool(data[0] & SPIN_BIT) for data in self.datagrams if not data[0] & 0x80]


def with_habits(policy: InitialPolicy = BASE, **habits: Any) -> InitialPolicy:
    return replace(policy, habits=PacketHabits(**habits))


def resumed(policy: InitialPolicy, size: int = 20) -> Taped:
    """A second connection with `size` bytes of early data, before anything has arrived."""
    made = throwaway_certificate()
    store = MemorySessionStore()
    tls = ClientTLS(alpn=("test",), ca=made.ca_pem, sessions=store)
    server = ServerTLS(certs=made.chain, alpn=("test",), early_data=True)
    first = Taped(policy, client_tls=tls, server_tls=server).confirm()
    first.pair.run_for(1.0)
    taped = Taped(policy, client_tls=tls, server_tls=server, wall=WALL + 60, seed=1)
    stream = taped.pair.client.open_stream()
    taped.pair.client.send(stream, bytes(size), True)
    taped.pair.flush()
    return taped


def busy(policy: InitialPolicy) -> Taped:
    """A connection on which both sides have written a few times."""
    taped = Taped(policy).confirm()
    pair = taped.pair
    stream = pair.client.open_stream()
    for _ in range(40):
        pair.client.send(stream, b"some bytes")
        pair.run_for(0.1)
    return taped


def test_all_habits_are_tested() -> None:
    assert {field.name for field in fields(PacketHabits)} == set(VALUES)


@pytest.mark.parametrize("name", [*VALUES, "all"])
def test_handshake_completes_with(name: str) -> None:
    habits = VALUES if name == "all" else {name: VALUES[name]}
    for padding in ("packet", "datagram"):
        taped = Taped(with_habits(replace(BASE, padding=padding), **habits)).confirm()
        assert 0 == taped.pair.client_trace.count("probe_sent")


@pytest.mark.parametrize("seed", range(10))
def test_handshake_with_all_habits_survives_loss(seed: int) -> None:
    taped = Taped(
        with_habits(**VALUES), to_server=LinkConfig(loss=0.2), to_client=LinkConfig(loss=0.2), seed=seed
    )
    taped.confirm()

    assert taped.pair.client.is_confirmed


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("spin", "sometimes", "spin bit"),
        ("handshake_ack_threshold", 0, "at least one packet"),
        ("handshake_ack_delay", -0.1, "cannot wait"),
        ("unanswered_number_size", 5, "1 to 4 bytes"),
        ("early_data", "all", "0-RTT goes with"),
        ("silence_limit", -1.0, "nobody waits"),
    ],
)
def test_habit_that_is_refused(field: str, value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PacketHabits(**{field: value})


def test_spin_bit_turns_with_the_round_trips() -> None:  # RFC 9000 §17.4
    spins = busy(with_habits(spin="live")).spins

    assert {False, True} == set(spins)


def test_spin_bit_stays_zero() -> None:
    assert {False} == set(busy(with_habits(spin="zero")).spins)


def test_spin_bit_is_drawn_for_each_packet() -> None:
    spins = busy(with_habits(spin="random")).spins

    assert 0.25 < sum(spins) / len(spins) < 0.75
    assert spins != busy(with_habits(spin="live")).spins


@pytest.mark.parametrize("omits", [False, True])
def test_last_frame_of_a_packet_goes_without_its_length(omits: bool) -> None:
    taped = busy(with_habits(omits_last_length=omits))
    pair = taped.pair
    for _ in range(2):
        pair.client.send(pair.client.open_stream(), b"side by side", True)
    pair.run_for(0.5)
    packets = [packet.frames for packet in pair.client_trace.sent if packet.frames]
    last = [frames[-1] for frames in packets if isinstance(frames[-1], StreamFrame)]
    others = [frame for frames in packets for frame in frames[:-1] if isinstance(frame, StreamFrame)]

    assert {not omits} == {frame.has_length for frame in last}
    assert {True} == {frame.has_length for frame in others}
    assert pair.received["server", 4] == pair.received["server", 8] == b"side by side"


def test_fewer_packets_of_the_handshake_than_the_threshold_wait() -> None:
    slowly = LinkConfig(rate=500_000)
    at_once = Taped(with_habits(), to_client=slowly).confirm()
    patient = Taped(with_habits(handshake_ack_threshold=2, handshake_ack_delay=0.05), to_client=slowly)
    patient.confirm()

    def acks(taped: Taped) -> int:
        kinds = (PacketType.INITIAL, PacketType.HANDSHAKE)
        return sum(frames == ("AckFrame",) for kind in kinds for frames in taped.sent(kind))

    assert acks(patient) < acks(at_once)


@pytest.mark.parametrize("before", [False, True])
def test_server_is_acknowledged_ahead_of_the_finished(before: bool) -> None:
    packets = Taped(with_habits(acks_before_finished=before)).confirm().sent(PacketType.HANDSHAKE)

    assert (("CryptoFrame",) in packets) is before
    assert (("AckFrame", "CryptoFrame") in packets) is not before


def test_finished_of_a_resumed_connection_goes_with_the_acknowledgement() -> None:
    taped = resumed(with_habits(acks_before_finished=True)).confirm()

    assert ("AckFrame", "CryptoFrame") in taped.sent(PacketType.HANDSHAKE)


def acknowledge_first_initial(taped: Taped) -> None:
    """The server has received one half of the ClientHello, says so, and asks for an acknowledgement."""
    pair = taped.pair
    hello = parse_long_header(taped.datagrams[0])
    packet = PacketBuilder(
        space=INITIAL,
        packet_type=PacketType.INITIAL,
        packet_number=0,
        packet_number_size=1,
        limit=1_000,
        now=pair.now,
        sealer=initial_keys(hello.destination_cid, VERSION_1).server_sealer,
        destination_cid=hello.source_cid,
        source_cid=b"a server",
        version=VERSION_1,
    )
    packet.append(AckFrame([(0, 0)], 0), FrameSource())
    packet.append(PingFrame(), FrameSource())
    pair.client.receive([Datagram(packet.protect(), SERVER_ADDRESS)], pair.now)
    pair.flush()


@pytest.mark.parametrize("repeats", [False, True])
def test_half_of_a_hello_is_repeated_when_the_other_half_is_acknowledged(repeats: bool) -> None:
    taped = Taped(with_habits(repeats_hello=repeats))
    taped.pair.flush()
    acknowledge_first_initial(taped)
    _, second, *answers = (packet.frames for packet in taped.pair.client_trace.sent)

    assert 1 == len(answers)
    cut = [frame for frame in second if isinstance(frame, CryptoFrame)]
    assert (cut if repeats else []) == [frame for frame in answers[0] if isinstance(frame, CryptoFrame)]


@pytest.mark.parametrize(("has_early_data", "size"), [(False, 2), (True, 1)])
def test_numbers_are_long_while_an_initial_is_unanswered_unless_early_data_followed(
    has_early_data: bool, size: int
) -> None:
    policy = with_habits(unanswered_number_size=2, early_data="none")
    taped = resumed(policy) if has_early_data else Taped(policy)
    taped.pair.flush()
    acknowledge_first_initial(taped)
    packets = open_flight(taped.datagrams)

    assert [1, 2, size] == [packet.packet_number_size for packet in packets]


@pytest.mark.parametrize(("early_data", "alone"), [("any", 0), ("last", 0), ("none", 1)])
def test_early_data_goes_with_an_initial_or_not(early_data: str, alone: int) -> None:
    taped = resumed(with_habits(replace(BASE, datagram_size=1_400), early_data=early_data))

    assert 1 == len(taped.sent(PacketType.ZERO_RTT))
    # RFC 9000 §17.2: the type of a long header is in the bits 0x30, which are not protected.
    assert alone == sum(data[0] & 0xB0 == 0x90 for data in taped.datagrams)


@pytest.mark.parametrize("early", [False, True])
def test_spare_connection_id_goes_with_early_data(early: bool) -> None:
    taped = resumed(with_habits(issues_early=early), size=2_000)
    packets = ["NewConnectionIdFrame" in names for names in taped.sent(PacketType.ZERO_RTT)]

    assert [early, False] == packets[:2]
    taped.confirm()
    taped.pair.run_for(0.5)
    frames = taped.pair.client_trace.frames_sent(NewConnectionIdFrame)
    assert list(range(1, 4)) == [frame.sequence_number for frame in frames]


@pytest.mark.parametrize(("cut", "fills"), [(1, True), (2000, False)])
def test_packets_end_with_a_part_of_a_stream_only_if_it_is_large_enough(cut: int, fills: bool) -> None:
    taped = Taped(with_habits(smallest_cut=cut, streams_by_number=True)).confirm()
    client = taped.pair.client
    first, second = client.open_stream(), client.open_stream()
    client.send(second, bytes(1000))
    client.send(first, bytes(1000))
    taped.pair.run_for(0.5)
    frames = [frame for frame in taped.pair.client_trace.frames_sent(StreamFrame) if frame.data]

    assert [first, *[second] * (2 if fills else 1)] == [frame.stream_id for frame in frames]


@pytest.mark.parametrize("answers", [False, True])
def test_close_of_the_peer_is_answered(answers: bool) -> None:  # RFC 9000 §10.2.2
    taped = Taped(with_habits(answers_close=answers)).confirm()
    pair = taped.pair
    assert pair.server is not None
    pair.server.close(0x100, "done")
    pair.run_for(1.0)
    closes = pair.client_trace.frames_sent(ConnectionCloseFrame)

    assert int(answers) == len(closes)
    assert pair.client.is_closed
    assert all(0 == frame.error_code and not frame.application for frame in closes)


@pytest.mark.parametrize("pads", [False, True])
def test_datagram_is_filled_by_its_last_packet_instead_of_zeros(pads: bool) -> None:
    taped = resumed(with_habits(replace(BASE, padding="datagram"), pads_last=pads))
    first = len(taped.datagrams)
    taped.confirm()
    answer = next(data for data in taped.datagrams[first:] if data[0] & 0xB0 == 0x80)

    assert BASE.datagram_size == len(answer)
    assert pads is (answer[-16:] != bytes(16))


@pytest.mark.parametrize(
    ("limit", "reason", "expected"),
    [
        (0.0, "", (10.0, [])),
        (4.0, "", (4.0, [])),
        (4.0, "gone after {us}us", (4.0, [b"gone after 4000000us"])),
    ],
)
def test_client_gives_up_when_nobody_answers(
    limit: float, reason: str, expected: tuple[float, list[bytes]]
) -> None:
    taped = Taped(with_habits(silence_limit=limit, silence_reason=reason))
    pair = taped.pair
    pair.to_server.filter(lambda datagram: False)
    start = pair.now
    pair.run_until(lambda: pair.client.is_closed)
    patience = pair.now - start
    pair.flush()
    closes = pair.client_trace.frames_sent(ConnectionCloseFrame)

    assert expected[0] == pytest.approx(patience)
    assert expected[1] == [frame.reason for frame in closes]
    assert isinstance(pair.client.error, HandshakeTimeout)


def test_client_that_has_heard_something_has_more_patience() -> None:
    taped = Taped(with_habits(silence_limit=4.0, silence_reason="gone"))
    pair = taped.pair
    heard: list[Datagram] = []
    pair.to_client.filter(lambda datagram: heard.append(datagram) is None and len(heard) == 1)  # type: ignore[func-returns-value]
    start = pair.now
    pair.run_until(lambda: pair.client.is_closed)

    assert 10.0 == pytest.approx(pair.now - start)
    assert [] == pair.client_trace.frames_sent(ConnectionCloseFrame)
