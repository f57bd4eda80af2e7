"""Everything that can be measured on a first flight, as one row of named numbers and words.

Far more than a profile knows of: places and sizes of every frame, how integers are encoded, which bits of random fields
are set, whether a key is a key. What a row says of names follows from the names, which both sides share.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from statistics import mean, median, pstdev
from typing import Final

import quicvarint
from qmimic import grease
from qmimic.curve25519 import may_be_public_key
from qmimic.fingerprint.initials import ClientInitial
from qmimic.observation import CACHED_RTT, ECH, Observed, parameter_name_of, stretches
from qwire.constants import VERSION_1, VERSION_2
from qwire.frames import CryptoFrame, parse_frames

Traits = dict[str, float | str]

PADDING, PING, CRYPTO = 0, 1, 6
KINDS: Final = {PADDING: "padding", PING: "ping", CRYPTO: "crypto"}
#: Frames that are described one by one, from either end of a packet.
EACH: Final = 4
#: Bytes at either end of what is protected, and of the ClientHello, that are features by themselves.
RAW: Final = 24
RAW_HELLO: Final = 160
VERSION_INFORMATION: Final = (0x11, 0xFF73DB)
X25519: Final = 0x001D
X25519MLKEM768: Final = 0x11EC
MLKEM_KEY: Final = 1152
MLKEM_PRIME: Final = 3329


def traits(item: Observed) -> Traits:
    """One first flight."""
    found: Traits = {}
    for prefix, part in (
        ("datagrams", datagram_traits(item)),
        ("header", header_traits(item)),
        ("layout", layout_traits(item)),
        ("hello", hello_traits(item)),
        ("parameters", parameter_traits(item)),
    ):
        found.update({f"{prefix}.{name}": value for name, value in part})
    return found


# Datagrams and headers


def datagram_traits(item: Observed) -> Iterator[tuple[str, float | str]]:
    """Sizes, and what lies behind the Initial packet."""
    yield "count", len(item.packets)
    for index, packet in enumerate(item.packets, 1):
        behind = item.datagrams[index - 1][packet.size :] if index <= len(item.datagrams) else b""
        yield f"{index}.size", packet.datagram_size
        yield f"{index}.packet_size", packet.size
        yield f"{index}.behind", len(behind)
        yield f"{index}.behind_zeros", behind.count(0)
        yield f"{index}.behind_first", behind[0] if behind else -1
    yield "size_word", " ".join(str(packet.datagram_size) for packet in item.packets)


def header_traits(item: Observed) -> Iterator[tuple[str, float | str]]:
    """Connection IDs, tokens, packet numbers, and how they are encoded."""
    first = item.packets[0]
    cid, own, token = first.header.destination_cid, first.header.source_cid, first.header.token
    yield from number_traits("first_number", first.packet_number)
    yield "number_word", str(first.packet_number) if first.packet_number < 40 else "high"
    yield "source_cid.size", len(own)
    yield "destination_cid.size", len(cid)
    yield "destination_cid.size_word", str(len(cid))
    yield from noise("destination_cid", cid)
    yield from noise("source_cid", own)
    yield "token.size", len(token)
    yield from noise("token", token)
    for index, packet in enumerate(item.packets, 1):
        datagram = item.datagrams[index - 1]
        yield f"{index}.first_byte", datagram[0] & 0xF0
        yield f"{index}.version", packet.header.version
        yield f"{index}.number_size", packet.packet_number_size
        yield f"{index}.length", packet.size - packet.header.packet_number_offset
        yield f"{index}.length_size", length_size(datagram)
        yield f"{index}.same_cids", (packet.header.destination_cid, packet.header.source_cid) == (cid, own)
        yield f"{index}.same_token", packet.header.token == token
    for index, (before, after) in enumerate(pairwise(item.packets), 1):
        yield f"{index}.step", after.packet_number - before.packet_number


def length_size(datagram: bytes) -> int:
    """Bytes of the Length field of the long header packet at the beginning."""
    position = 5
    position += 1 + datagram[position]
    position += 1 + datagram[position]
    token, position = quicvarint.parse(datagram, position)
    return 1 << (datagram[position + token] >> 6)


def number_traits(name: str, number: int) -> Iterator[tuple[str, float]]:
    """Size and lowest bits of a number that may be drawn."""
    yield name, number
    yield f"{name}.bits", number.bit_length()
    for modulus in (2, 4, 8, 32):
        yield f"{name}.mod{modulus}", number % modulus


def noise(name: str, data: bytes, each: int = 32) -> Iterator[tuple[str, float]]:
    """Bytes that look random: each of the first, both ends' bits, and how evenly they are spread."""
    if not data:
        return
    for index, byte in enumerate(data[:each]):
        yield f"{name}.byte{index}", byte
    for index in range(8):
        yield f"{name}.first_bit{index}", data[0] >> index & 1
        yield f"{name}.last_bit{index}", data[-1] >> index & 1
    yield f"{name}.mean", mean(data)
    yield f"{name}.ones", sum(byte.bit_count() for byte in data) / len(data)
    yield f"{name}.zeros", data.count(0) / len(data)
    yield f"{name}.distinct", len(set(data)) / len(data)
    yield f"{name}.ascii", sum(32 <= byte < 127 for byte in data) / len(data)


# Frames


def layout_traits(item: Observed) -> Iterator[tuple[str, float | str]]:
    """What stands where, in the flight and in each packet."""
    total = len(item.fingerprint.flight.client_hello)
    yield "total", total
    order = [offset for packet in item.packets for offset, _ in packet.crypto]
    yield "frames", len(order)
    yield "inversions", inversions(order)
    for index, packet in enumerate(item.packets, 1):
        for name, value in packet_traits(packet, total):
            yield f"packet{index}.{name}", value


def packet_traits(packet: ClientInitial, total: int) -> Iterator[tuple[str, float | str]]:
    """The frames of one packet."""
    frames = parse_frames(packet.payload)
    parts: list[tuple[int, int, int]] = []  # kind, position, size
    position = 0
    for frame in frames:
        size = frame.size() if not isinstance(frame, CryptoFrame) else crypto_size(packet.payload, position)
        parts.append((frame.type, position, size))
        position += size
    kinds = [kind for kind, _, _ in parts]
    yield "payload", len(packet.payload)
    yield "frames", len(parts)
    for kind, word in KINDS.items():
        yield f"{word}.count", kinds.count(kind)
        places = [place for place, other in enumerate(kinds) if other == kind]
        if places:
            yield f"{word}.first_place", places[0]
            yield f"{word}.last_place", places[-1] - len(kinds)
            yield f"{word}.mean_place", mean(places) / len(kinds)
            yield f"{word}.longest_row", longest_row(kinds, kind)
    for (one, other), count in Counter(pairwise(kinds)).items():
        yield f"pair.{KINDS[one]}.{KINDS[other]}", count
    yield "starts", " ".join(KINDS[kind] for kind in kinds[:2])
    yield "ends", " ".join(KINDS[kind] for kind in kinds[-2:])
    runs = [size for kind, _, size in parts if kind == PADDING]
    yield from spread("padding", runs)
    if runs:
        largest = max(range(len(parts)), key=lambda place: (parts[place][0] == PADDING, parts[place][2]))
        yield "padding.largest_place", largest / len(parts)
        yield "padding.largest_position", parts[largest][1]
        yield "padding.first_run", runs[0]
        yield "padding.last_run", runs[-1]
        yield "padding.at_the_end", parts[-1][2] if kinds[-1] == PADDING else 0
    yield from crypto_traits(packet, total)
    first_crypto = next((place for kind, place, _ in parts if kind == CRYPTO), 0)
    yield "crypto.first_position", first_crypto
    yield (
        "shortest_encoded",
        all(has_shortest_integers(packet.payload, place) for kind, place, _ in parts if kind == CRYPTO),
    )
    for index in range(min(RAW, len(packet.payload))):
        yield f"byte{index}", packet.payload[index]
        yield f"byte-{index + 1}", packet.payload[-1 - index]


def crypto_traits(packet: ClientInitial, total: int) -> Iterator[tuple[str, float | str]]:
    """Places and sizes of the CRYPTO frames."""
    sizes = [len(data) for _, data in packet.crypto]
    offsets = [offset for offset, _ in packet.crypto]
    yield from spread("crypto", sizes)
    yield from spread("offset", offsets)
    yield "inversions", inversions(offsets)
    yield "inversion_share", inversions(offsets) / max(1, math.comb(len(offsets), 2))
    yield "rises", sum(before < after for before, after in pairwise(offsets))
    ends = {offset + size for offset, size in zip(offsets, sizes, strict=True)}
    yield (
        "continued",
        sum(offset + len(data) == after for (offset, data), (after, _) in pairwise(packet.crypto)),
    )
    yield "crypto.first_is_lowest", offsets[:1] == sorted(offsets)[:1]
    yield "crypto.last_reaches_end", bool(offsets) and offsets[-1] + sizes[-1] == total
    yield "crypto.reaches_end", total in ends
    yield "crypto.largest_place", sizes.index(max(sizes)) if sizes else -1
    yield "crypto.smallest_place", sizes.index(min(sizes)) if sizes else -1
    yield "crypto.lowest_place", offsets.index(min(offsets)) if offsets else -1
    yield "crypto.highest_place", offsets.index(max(offsets)) if offsets else -1
    for limit in (1, 2, 4, 8, 16, 64, 256):
        yield f"crypto.up_to_{limit}", sum(size <= limit for size in sizes)
    for index in range(min(EACH, len(sizes))):
        yield f"crypto{index}.size", sizes[index]
        yield f"crypto{index}.offset", offsets[index]
        yield f"crypto-{index + 1}.size", sizes[-1 - index]
        yield f"crypto-{index + 1}.offset", offsets[-1 - index]
    ordered = [size for _, size in sorted(zip(offsets, sizes, strict=True))]
    for index in range(min(EACH, len(ordered))):
        yield f"crypto.by_offset{index}", ordered[index]
        yield f"crypto.by_offset-{index + 1}", ordered[-1 - index]
    for index, (start, stop) in enumerate(stretches(packet)[:EACH]):
        yield f"stretch{index}.start", start
        yield f"stretch{index}.stop", stop
        yield f"stretch{index}.size", stop - start
        yield f"stretch{index}.start_share", start / total
        yield f"stretch{index}.stop_share", stop / total
        yield f"stretch{index}.stop_from_end", total - stop
        yield f"stretch{index}.cuts", sum(start <= offset < stop for offset in offsets) - 1
    yield "stretches", len(stretches(packet))


def crypto_size(payload: bytes, position: int) -> int:
    """Bytes of the CRYPTO frame at `position`, as it is encoded."""
    _, after = quicvarint.parse(payload, position + 1)
    size, after = quicvarint.parse(payload, after)
    return after + size - position


def has_shortest_integers(payload: bytes, position: int) -> bool:
    """Whether the CRYPTO frame at `position` spends no byte too many on offset and length."""
    offset, after = quicvarint.parse(payload, position + 1)
    size, end = quicvarint.parse(payload, after)
    return (after - position - 1, end - after) == (quicvarint.size(offset), quicvarint.size(size))


def spread(name: str, sample: Sequence[int]) -> Iterator[tuple[str, float]]:
    """Sum, bounds, middle and width of a sample."""
    yield f"{name}.sum", sum(sample)
    if not sample:
        return
    ordered = sorted(sample)
    yield f"{name}.smallest", ordered[0]
    yield f"{name}.second", ordered[min(1, len(ordered) - 1)]
    yield f"{name}.largest", ordered[-1]
    yield f"{name}.second_largest", ordered[max(-2, -len(ordered))]
    yield f"{name}.median", median(ordered)
    yield f"{name}.mean", mean(ordered)
    yield f"{name}.deviation", pstdev(ordered)
    yield f"{name}.distinct", len(set(ordered))
    yield f"{name}.largest_share", ordered[-1] / max(1, sum(ordered))


def inversions(sample: Sequence[int]) -> int:
    return sum(one > other for one, other in combinations(sample, 2))


def longest_row(kinds: Sequence[int], kind: int) -> int:
    """The most frames of one kind in a row."""
    longest = row = 0
    for other in kinds:
        row = row + 1 if other == kind else 0
        longest = max(longest, row)
    return longest


# ClientHello


def hello_traits(item: Observed) -> Iterator[tuple[str, float | str]]:
    """Fields, extensions, their places, and the random parts."""
    hello = item.fingerprint.hello
    raw = item.fingerprint.flight.client_hello
    yield "size", len(raw)
    yield "size_without_name", len(raw) - len(item.fingerprint.server_name or "")
    yield "legacy_version", hello.legacy_version
    yield "session_id.size", len(hello.session_id)
    yield from noise("session_id", hello.session_id)
    yield from noise("random", hello.random)
    for index in range(min(RAW_HELLO, len(raw))):
        if not 6 <= index < 38:  # random, described above
            yield f"byte{index}", raw[index]
    for index in range(1, RAW + 1):
        yield f"byte-{index}", raw[-index]
    yield "suites", words(hello.cipher_suites)
    yield "groups", words(hello.groups)
    yield "signatures", words(hello.signature_algorithms)
    yield "versions", words(hello.supported_versions)
    yield from order_traits("extension", [folded_name(number) for number, _ in hello.extensions])
    reserved = [number for number, _ in hello.extensions if grease.is_tls_value(number)]
    reserved += [n for n in (*hello.cipher_suites, *hello.groups) if grease.is_tls_value(n)]
    for index, number in enumerate(reserved):
        yield f"grease{index}", number >> 12
    for index, (one, other) in enumerate(combinations(reserved, 2)):
        yield f"grease_pair{index}", one == other
    position = len(raw) - sum(4 + len(body) for _, body in hello.extensions)
    for number, body in hello.extensions:
        name = f"extension.{folded_name(number)}"
        yield f"{name}.size", len(body)
        yield f"{name}.position", position
        position += 4 + len(body)
        if number not in (ECH, 51, 57, 41, 0):
            yield f"{name}.body", body.hex()
    yield from share_traits(hello.key_shares)
    yield from ech_traits(hello.body(ECH) or b"")
    yield from ticket_traits(hello.body(41) or b"")


def folded_name(number: int) -> str:
    return "grease" if grease.is_tls_value(number) else str(number)


def words(numbers: Sequence[int]) -> str:
    return " ".join(f"{grease.fold_tls(number):04x}" for number in numbers)


def order_traits(name: str, order: Sequence[str]) -> Iterator[tuple[str, float | str]]:
    """The place of each item, which of two comes first, and what stands beside what."""
    places = {entry: place for place, entry in reversed(list(enumerate(order)))}
    yield f"{name}.count", len(order)
    for entry, place in places.items():
        yield f"{name}.place.{entry}", place
    for one, other in combinations(sorted(places), 2):
        yield f"{name}.before.{one}.{other}", places[one] < places[other]
        yield f"{name}.beside.{one}.{other}", abs(places[one] - places[other]) == 1
    yield f"{name}.first", order[0] if order else ""
    yield f"{name}.last", order[-1] if order else ""


def share_traits(shares: Sequence[tuple[int, bytes]]) -> Iterator[tuple[str, float | str]]:
    """Key shares: whether they are what they say."""
    yield "shares", " ".join(f"{grease.fold_tls(group):04x}:{len(share)}" for group, share in shares)
    for group, share in shares:
        name = f"share.{group if not grease.is_tls_value(group) else 'grease'}"
        yield from noise(name, share, 8)
        if group == X25519:
            yield f"{name}.is_a_point", may_be_public_key(share)
        if group == X25519MLKEM768:
            yield f"{name}.is_reduced", is_reduced(share[:MLKEM_KEY])
            yield from noise(f"{name}.seed", share[MLKEM_KEY : MLKEM_KEY + 32], 4)
            yield from noise(f"{name}.x25519", share[-32:], 4)
            yield f"{name}.is_a_point", may_be_public_key(share[-32:])
            yield f"{name}.is_shared", share[-32:] in [other for _, other in shares]


def is_reduced(key: bytes) -> bool:
    """Whether all coefficients of an ML-KEM key are below the prime, FIPS 203 §7.2."""
    number = int.from_bytes(key, "little")
    return all(number >> 12 * index & 0xFFF < MLKEM_PRIME for index in range(len(key) * 8 // 12))


def ech_traits(body: bytes) -> Iterator[tuple[str, float | str]]:
    """encrypted_client_hello of the outer kind."""
    if len(body) < 10:
        return
    size = int.from_bytes(body[6:8], "big")
    enc, payload = body[8 : 8 + size], body[10 + size :]
    yield "ech.suite", body[:5].hex()
    yield "ech.aead", body[4]
    yield from number_traits("ech.config", body[5])
    yield from noise("ech.enc", enc)
    yield "ech.enc.is_a_point", may_be_public_key(enc)
    yield "ech.payload.size", len(payload)
    yield "ech.payload.size_word", str(len(payload))
    yield from noise("ech.payload", payload, 16)


def ticket_traits(body: bytes) -> Iterator[tuple[str, float | str]]:
    """pre_shared_key: identities and binders."""
    if len(body) < 4:
        return
    end = 2 + int.from_bytes(body[:2], "big")
    size = int.from_bytes(body[2:4], "big")
    ticket, age = body[4 : 4 + size], int.from_bytes(body[4 + size : 8 + size], "big")
    yield "ticket.size", size
    yield "ticket.alone", 8 + size == end
    yield "ticket.binders", len(body) - end
    yield from noise("ticket", ticket, 8)
    yield from number_traits("ticket.age", age)
    yield from noise("ticket.age", age.to_bytes(4, "big"))
    yield from noise("ticket.binder", body[end + 3 :], 8)


# Transport parameters


def parameter_traits(item: Observed) -> Iterator[tuple[str, float | str]]:
    """Order, values, encodings; what is reserved, and what is Google's."""
    entries = item.fingerprint.parameters.entries
    names = [
        name if isinstance(name := parameter_name_of(entry.id), str) else f"{name:x}" for entry in entries
    ]
    yield "size", len(item.fingerprint.hello.transport_parameters or b"")
    yield from order_traits("order", names)
    for name, entry in zip(names, entries, strict=True):
        yield f"{name}.size", len(entry.value)
        yield f"{name}.id_size", entry.id_size or quicvarint.size(entry.id)
        yield f"{name}.length_size", entry.length_size or quicvarint.size(len(entry.value))
        if name == "grease":
            yield f"{name}.id", math.log2(entry.id)
            yield from number_traits(f"{name}.index", (entry.id - 27) // 31)
            yield f"{name}.size_word", str(len(entry.value))
            yield from noise(f"{name}.id", entry.id.to_bytes(8, "big"))
            yield from noise(f"{name}.value", entry.value, 4)
        elif entry.id in VERSION_INFORMATION:
            yield from version_traits(f"{name}", entry.value)
        elif entry.id == CACHED_RTT:
            rtt, end = quicvarint.parse(entry.value)
            yield f"{name}.whole", end == len(entry.value)
            yield f"{name}.shortest", quicvarint.size(rtt) == len(entry.value)
            yield from number_traits(name, rtt)
        elif entry.id == 0x0F:
            yield f"{name}.same", entry.value == item.packets[0].header.source_cid
        else:
            yield f"{name}.value", entry.value.hex()


def version_traits(name: str, value: bytes) -> Iterator[tuple[str, float | str]]:
    """The list of versions, and the bits of the reserved one."""
    versions = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
    yield f"{name}.whole", len(value) % 4
    yield (
        f"{name}.list",
        " ".join("grease" if grease.is_version(version) else f"{version:x}" for version in versions),
    )
    for version in versions[1:]:
        if version not in (VERSION_1, VERSION_2):
            yield f"{name}.well_formed", grease.is_version(version)
            for index in range(4):
                yield f"{name}.nibble{index}", version >> (28 - 8 * index) & 0xF
            yield from noise(f"{name}.label", version.to_bytes(4, "big"))
