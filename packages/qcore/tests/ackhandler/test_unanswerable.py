from qcore.ackhandler.history import SentPacket
from qcore.ackhandler.unanswerable import MAX_UNANSWERABLE, PING_AFTER, UnanswerablePackets
from qcore.spaces import APPLICATION, HANDSHAKE, INITIAL


def packet(number: int, space: int = APPLICATION) -> SentPacket:
    return SentPacket(number, space, 0.0, 40, False, False, [])


def test_the_oldest_is_forgotten_for_one_too_many() -> None:
    packets = UnanswerablePackets()
    for number in range(MAX_UNANSWERABLE):
        assert packets.add(packet(number)) is None
    oldest = packets.add(packet(MAX_UNANSWERABLE))
    assert oldest is not None
    assert oldest.packet_number == 0


def test_spaces_count_for_themselves() -> None:
    packets = UnanswerablePackets()
    for number in range(PING_AFTER):
        packets.add(packet(number, HANDSHAKE))
    assert packets.needs_ping(HANDSHAKE)
    assert not packets.needs_ping(INITIAL)
    packets.interrupt(HANDSHAKE)
    assert not packets.needs_ping(HANDSHAKE)


def test_a_discarded_space_keeps_nothing() -> None:
    packets = UnanswerablePackets()
    for number in range(MAX_UNANSWERABLE):
        packets.add(packet(number, INITIAL))
    assert list(range(MAX_UNANSWERABLE)) == [each.packet_number for each in packets.take(INITIAL)]
    assert packets.add(packet(MAX_UNANSWERABLE, INITIAL)) is None
