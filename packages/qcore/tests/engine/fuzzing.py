"""Junk with structure: random frames, damaged datagrams, Initial packets opened, changed and sealed again."""

from random import Random
from typing import Final, final

from qtls.initial import initial_keys
from qtls.retry import integrity_tag
from qwire.buffer import Writer
from qwire.constants import VERSION_1, VERSION_2, PacketType
from qwire.errors import DecodeError
from qwire.frames import CryptoFrame, parse_frames
from qwire.headers import parse_long_header
from qwire.packet_number import expand
from qwire.unprotected import Retry, VersionNegotiation

from .crafting import long_header, protect

FULL: Final = 1_200
# Values at which integers change their size, limits end, or sums overflow.
INTERESTING: Final = (
    *(0, 1, 2, 3, 7, 8, 20, 21, 63, 64, 100, 101, 255, 1_199, 1_200, 1_452, 16_383, 16_384, 65_535, 65_536),
    *(1 << 20, (1 << 30) - 1, 1 << 30, 1 << 32, 1 << 60, (1 << 60) + 1, (1 << 62) - 2, (1 << 62) - 1),
)
# Frame types, with how many integers follow and whether a length and bytes come last.
SHAPES: Final = (
    (0x00, 0, False), (0x01, 0, False), (0x02, 4, False), (0x02, 6, False), (0x03, 7, False), (0x04, 3, False),
    (0x05, 2, False), (0x06, 1, True), (0x07, 0, True), (0x08, 1, False), (0x0A, 1, True), (0x0C, 2, False),
    (0x0E, 2, True), (0x0F, 2, True), (0x0B, 1, True), (0x10, 1, False), (0x11, 2, False), (0x12, 1, False),
    (0x13, 1, False), (0x14, 1, False), (0x15, 2, False), (0x16, 1, False), (0x17, 1, False), (0x19, 1, False),
    (0x1C, 2, True), (0x1D, 1, True), (0x1E, 0, False), (0x1F, 0, False), (0x24, 4, False), (0x30, 0, False),
    (0x31, 0, True), (0xAF, 4, False),
)  # fmt: skip


@final
class Fuzzer:
    """Draws from a seed."""

    def __init__(self, seed: int | str) -> None:
        self.random = Random(seed)

    def draw(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def integer(self) -> int:
        random = self.random
        if random.random() < 0.5:
            return random.randrange(64)
        if random.random() < 0.5:
            return random.choice(INTERESTING)
        return random.getrandbits(random.randrange(1, 63))

    # Frames

    def frame(self) -> bytes:
        """A frame that is well formed more often than not."""
        random = self.random
        draw = random.random()
        if draw < 0.05:
            return self.draw(random.randrange(1, 30))
        if draw < 0.15:
            return self._new_connection_id()
        if draw < 0.2:
            return bytes((random.choice((0x1A, 0x1B)),)) + self.draw(8)
        kind, count, has_data = random.choice(SHAPES)
        writer = Writer()
        writer.write_varint(kind)
        for _ in range(count):
            writer.write_varint(self.integer())
        if has_data:
            data = self.draw(random.choice((0, 1, 5, 40, 300)))
            writer.write_varint(len(data) if random.random() < 0.9 else self.integer())
            writer.write_bytes(data)
        return writer.getvalue()

    def _new_connection_id(self) -> bytes:
        writer = Writer()
        writer.write_varint(0x18)
        sequence = self.integer()
        writer.write_varint(sequence)
        writer.write_varint(sequence if self.random.random() < 0.3 else self.integer())
        size = self.random.choice((0, 1, 8, 8, 8, 20, 21))
        writer.write_bytes(bytes((size,)) + self.draw(size) + self.draw(16))
        return writer.getvalue()

    def mild_frame(self, *, is_client: bool) -> bytes:
        """A frame that its peer has to bear, as likely as not."""
        random = self.random
        writer = Writer()
        stream = random.choice((0, 2, 4, 6, 8, 100)) + (not is_client)
        small, size = random.randrange(2_000), random.choice((0, 1, 30, 400))
        draw = random.randrange(12)
        if draw <= 2:
            fin = random.random() < 0.1
            writer.write_varint(0x0E | fin)
            writer.write_varint(stream)
            writer.write_varint(small)
            writer.write_varint(size)
            writer.write_bytes(self.draw(size))
        elif draw == 3:
            writer.write_bytes(b"\x31" + bytes((size & 0x3F,)) + self.draw(size & 0x3F))
        elif draw == 4:
            writer.write_bytes(b"\x1a" + self.draw(8))
        elif draw == 5:
            writer.write_bytes(b"\x1b" + self.draw(8))
        elif draw == 6:
            writer.write_varint(random.choice((0x10, 0x12, 0x13, 0x14, 0x16, 0x17)))
            writer.write_varint(self.integer() >> 3)
        elif draw == 7:
            writer.write_bytes(random.choice((b"\x01", b"\x1f", bytes(20), b"\x19\x01", b"\x1c\x00\x00\x00")))
        elif draw == 8:
            writer.write_varint(0x04)
            for value in (stream, small, 2_400):
                writer.write_varint(value)
        elif draw == 9:
            writer.write_varint(0x05)
            writer.write_varint(stream & ~2)
            writer.write_varint(small)
        elif draw == 10:
            writer.write_varint(0x02)
            for value in (random.randrange(8), small, 0, 0):
                writer.write_varint(value)
        else:
            writer.write_varint(0x15)
            writer.write_varint(stream)
            writer.write_varint(small)
        return writer.getvalue()

    def mild_frames(self, *, is_client: bool) -> bytes:
        """Some frames in a row that may well be taken."""
        count = self.random.choice((1, 2, 5))
        return b"".join(self.mild_frame(is_client=is_client) for _ in range(count))[:1_100]

    def frames(self) -> bytes:
        """A few frames in a row."""
        return b"".join(self.frame() for _ in range(self.random.choice((1, 1, 2, 3, 8))))[:1_100]

    # Bytes

    def damage(self, data: bytes) -> bytes:
        """The same bytes after a few accidents."""
        random = self.random
        result = bytearray(data)
        for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
            at = random.randrange(len(result) + 1)
            draw = random.randrange(7)
            if draw == 0 and result:
                result[at % len(result)] ^= 1 << random.randrange(8)
            elif draw == 1 and result:
                result[at % len(result)] = random.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF))
            elif draw == 2:
                result[at:at] = self.draw(random.randrange(1, 9))
            elif draw == 3:
                del result[at : at + random.randrange(1, 9)]
            elif draw == 4:
                result[at:at] = result[max(0, at - 20) : at]
            elif draw == 5:
                del result[at:]
            else:
                result[at : at + 4] = self.draw(4)
        return bytes(result)

    def junk(self) -> bytes:
        """A datagram of random bytes that looks like something at its beginning."""
        random = self.random
        data = self.draw(random.choice((1, 5, 7, 20, 21, 40, 43, 100, 1_199, 1_200, 1_252, 1_500)))
        draw = random.random()
        if draw < 0.3:
            return data
        if draw < 0.5:
            return bytes((0x40 | data[0] & 0x3F,)) + data[1:]
        version = random.choice((VERSION_1, VERSION_1, VERSION_2, 0, 0x0A0A0A0A, 0xFF00001D))
        size = random.choice((0, 8, 8, 8, 20, 21, 255))
        first = bytes((0xC0 | data[0] & 0x3F,))
        return (first + version.to_bytes(4, "big") + bytes((size,)) + data)[: max(len(data), 1)]

    def unprotected(self, destination_cid: bytes, source_cid: bytes) -> bytes:
        """A Retry or Version Negotiation packet of someone who has seen the first flight."""
        random = self.random
        if random.random() < 0.5:
            token = self.draw(random.choice((1, 30, 300, 1_000, 1_100, 1_140, 1_160, 1_180)))
            draft = Retry(VERSION_1, destination_cid, self.draw(8), token).without_tag()
            return self.maybe_damaged(draft + integrity_tag(draft, source_cid, VERSION_1))
        versions = tuple(random.sample((VERSION_1, VERSION_2, 0x0A0A0A0A, 5), random.randrange(1, 4)))
        return self.maybe_damaged(VersionNegotiation(destination_cid, source_cid, versions).encode())

    def maybe_damaged(self, data: bytes) -> bytes:
        return self.damage(data) if self.random.random() < 0.3 else data

    # Initial packets

    def with_damaged_messages(self, payload: bytes) -> bytes:
        """The same frames with other handshake bytes in them."""
        writer = Writer()
        for frame in parse_frames(payload):
            if isinstance(frame, CryptoFrame):
                data = self.damage(frame.data)
                if (
                    self.random.random() < 0.5
                ):  # of the same size, so that messages still end where they should
                    data = (data + frame.data[len(data) :])[: len(frame.data)]
                frame = CryptoFrame(frame.offset, data)
            frame.append(writer)
        return writer.getvalue()

    def resealed(self, data: bytes, *, key_cid: bytes | None = None, is_client: bool = True) -> bytes:
        """Open an Initial packet, change what is in it, and seal it again."""
        random = self.random
        try:
            header = parse_long_header(data)
        except DecodeError:
            return self.damage(data)
        keys = initial_keys(header.destination_cid if key_cid is None else key_cid, header.version)
        opener = keys.client_opener if is_client else keys.server_opener
        at = header.packet_number_offset
        clear = opener.unprotect(data, 0, at)
        size = (clear[0] & 3) + 1
        number = expand(int.from_bytes(clear[-size:], "big"), size, -1)
        payload = opener.open(number, clear, data[at + size : header.end])
        if payload is None:
            return self.damage(data)
        draw = random.random()
        if draw < 0.6:
            payload = self.with_damaged_messages(payload)
        elif draw < 0.7:
            payload = self.damage(payload)
        elif draw < 0.8:
            payload = self.frames() + payload
        elif draw < 0.9:
            payload = self.frames()
        destination_cid, source_cid, token, version = (
            header.destination_cid,
            header.source_cid,
            header.token,
            header.version,
        )
        if random.random() < 0.15:
            destination_cid = self.draw(random.choice((0, 7, 8, 20)))
        if random.random() < 0.15:
            source_cid = self.draw(random.choice((0, 1, 8, 20)))
        if random.random() < 0.15:
            token = self.draw(random.choice((1, 30, 80, 300)))
        if random.random() < 0.1:
            version = random.choice((VERSION_1, VERSION_2))
        if random.random() < 0.3:
            number = random.choice((0, 1, number + 1, 255, 65_535, random.getrandbits(31)))
        size = 4 if number > 255 else random.randrange(1, 5)
        reserved = random.choice((0,) * 20 + (4, 8))
        if key_cid is None or destination_cid != header.destination_cid or version != header.version:
            keys = initial_keys(destination_cid if key_cid is None else key_cid, version)
        sealer = keys.client_sealer if is_client else keys.server_sealer

        def head(count: int) -> bytes:
            return long_header(
                PacketType.INITIAL,
                version,
                destination_cid,
                source_cid,
                number,
                size,
                count,
                token=token,
                reserved=reserved,
            )

        payload = payload.rstrip(b"\0") if len(payload) > 1_000 else payload
        missing = FULL - len(head(0)) - 16 - len(payload)
        if missing > 0 and random.random() < 0.9:
            payload += bytes(missing)
        payload = payload or b"\0"
        payload += bytes(max(0, 4 - size - len(payload)))
        return protect(sealer, head(len(payload)), number, size, payload)
