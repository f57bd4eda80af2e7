"""Captures whose packets authenticate and whose contents make no sense: read, or refused with one line."""

import json
import random
from collections.abc import Callable
from typing import Final

import pytest

from qmimic import fingerprint, learn
from qmimic.capture import CapturedDatagram, CapturedFlow
from qmimic.catalog import BUILT_IN
from qmimic.dissection import dissect_flow
from qmimic.draw import draw_flows
from qmimic.errors import MimicError
from qmimic.fingerprint.initials import initial_header, keys_of
from qtls.initial import initial_keys
from qwire.buffer import Writer
from qwire.constants import VERSION_1, VERSION_2
from qwire.frames import CryptoFrame, parse_frames

CASES: Final = 400
NAMES: Final = ("chrome-156", "firefox-159", "safari-18.5", "plain")
SPECIAL: Final = (0, 1, 2, 0x3F, 0x40, 0x7F, 0x80, 0xFF)


def flights() -> list[CapturedFlow]:
    return [
        flow
        for name in NAMES
        for flow in draw_flows(BUILT_IN[name], seed=3, count=2, server_names=["www.example.com"])
    ]


def damaged(generator: random.Random, data: bytes, count: int) -> bytes:
    """`data` with bytes changed, left out, and put in."""
    changed = bytearray(data)
    for _ in range(count):
        at = generator.randrange(len(changed))
        operation = generator.randrange(4)
        if operation == 0:
            changed[at] = generator.choice(SPECIAL)
        elif operation == 1:
            changed[at] ^= 1 << generator.randrange(8)
        elif operation == 2:
            del changed[at : at + generator.randint(1, 4)]
        else:
            changed[at:at] = generator.randbytes(generator.randint(1, 4))
    return bytes(changed)


def resealed(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A client's Initial packet with other frames in it, and nothing behind it."""
    header = initial_header(data, (VERSION_1, VERSION_2))
    assert header is not None
    opener = keys_of(header).client_opener
    at = header.packet_number_offset
    clear = opener.unprotect(data, 0, at)
    size = (clear[0] & 3) + 1
    number = int.from_bytes(clear[-size:], "big")
    payload = opener.open(number, clear, data[at + size : header.end])
    assert payload is not None
    payload = change(payload).ljust(4, b"\0")
    # Length takes two bytes in all of these profiles.
    length = (0x4000 | len(payload) + 16 + size).to_bytes(2, "big")
    clear = clear[: at - 2] + length + clear[at:]
    sealer = initial_keys(header.destination_cid, header.version).client_sealer
    return sealer.protect(number, size, clear, payload)


def other_hello(generator: random.Random, payload: bytes) -> bytes:
    """The same frames with damage in the ClientHello, now and then at another place of it."""
    writer = Writer()
    for frame in parse_frames(payload):
        if isinstance(frame, CryptoFrame):
            offset = frame.offset if generator.random() < 0.95 else generator.randrange(70_000)
            data = bytearray(frame.data)
            for _ in range(generator.randint(0, 3) if data else 0):
                data[generator.randrange(len(data))] = generator.choice(SPECIAL)
            frame = CryptoFrame(offset, bytes(data))
        frame.append(writer)
    return bytes(writer.data)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_but_one_clear_error_comes_of_it(seed: int) -> None:
    generator = random.Random(seed)
    whole = flights()
    readable = 0
    for _ in range(CASES):
        flow = generator.choice(whole)
        datagrams = []
        for datagram in flow.datagrams:
            if generator.random() < 0.5:
                data = resealed(datagram.data, lambda payload: other_hello(generator, payload))
            else:
                data = resealed(datagram.data, lambda payload: damaged(generator, payload, 1))
            datagrams.append(CapturedDatagram(datagram.time_ms, True, data))
        hostile = CapturedFlow(flow.about, datagrams)
        found = fingerprint(hostile.payloads, any_pn=True)
        json.dumps([item.record for item in found])
        json.dumps(dissect_flow(hostile))
        readable += len(found)
        try:
            learn([hostile])
        except MimicError as error:
            assert 1 == len(str(error).splitlines())
    assert 0 < readable < CASES
