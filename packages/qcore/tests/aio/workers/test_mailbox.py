"""Datagrams between processes."""

import asyncio
from collections.abc import Sequence

import pytest

from qcore.aio.workers.mailbox import MESSAGE_SIZE, Mailbox, decode_records, encode_record, open_mailboxes
from qcore.batch import Address, Datagram


def told(datagram: Datagram) -> tuple[bytes, Address, int, int]:
    return datagram.data, datagram.address, datagram.ecn, datagram.local


DATAGRAMS = [
    Datagram(b"short", ("192.0.2.1", 443), 0),
    Datagram(b"", ("192.0.2.1", 1), 1),
    Datagram(bytes(65_507), ("2001:db8::1", 65_535, 0, 0), 2),
    Datagram(b"link local", ("fe80::1", 443, 7, 3), 3),
    Datagram(b"mapped", ("::ffff:192.0.2.1", 443, 0, 0), 0, 2),
]


def test_records_keep_data_address_and_mark() -> None:
    message = b"".join(encode_record(datagram) for datagram in DATAGRAMS)

    assert [told(datagram) for datagram in DATAGRAMS] == [
        told(datagram) for datagram in decode_records(message)
    ]


async def post_all(datagrams: Sequence[Datagram]) -> tuple[list[Datagram], Mailbox]:
    """Post from worker 0 to worker 1, and read what has come."""
    pairs = open_mailboxes(2)
    outboxes = [pair[1] for pair in pairs]
    sender, receiver = (Mailbox(pair[0], outboxes) for pair in pairs)
    arrived: list[Datagram] = []
    for datagram in datagrams:
        sender.post(1, datagram)
    receiver.open(arrived.extend)
    for _ in range(5):  # turns of the loop
        await asyncio.sleep(0)
    receiver.close()
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()
    assert len(arrived) == receiver.received
    return arrived, sender


def test_datagrams_of_one_turn_arrive_in_order() -> None:
    sent = [Datagram(bytes((number,)) * 1200, ("192.0.2.1", number), number & 3) for number in range(128)]
    arrived, sender = asyncio.run(post_all(sent))

    assert [told(datagram) for datagram in sent] == [told(datagram) for datagram in arrived]
    assert (128, 0) == (sender.sent, sender.dropped)


def test_what_does_not_fit_is_dropped() -> None:
    sent = [Datagram(bytes(1200), ("192.0.2.1", number + 1)) for number in range(20_000)]
    arrived, sender = asyncio.run(post_all(sent))

    assert 0 < sender.dropped
    assert 20_000 == sender.sent + sender.dropped
    assert MESSAGE_SIZE // 1300 <= len(arrived)
    assert [told(datagram) for datagram in sent[: len(arrived)]] == [told(each) for each in arrived]


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=lambda each: str(len(each.data)))
def test_single_datagrams_arrive(datagram: Datagram) -> None:
    arrived, _ = asyncio.run(post_all([datagram]))

    assert [told(datagram)] == [told(each) for each in arrived]
