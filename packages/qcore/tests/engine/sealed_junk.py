"""Packets under the real keys of an engine with something wrong in them."""

from qcore.engine.engine import QuicEngine
from qcore.spaces import APPLICATION, HANDSHAKE
from qwire.constants import PacketType
from qwire.frames import CryptoFrame

from .crafting import craft
from .fuzzing import Fuzzer


def sealed_kinds(engine: QuicEngine) -> list[PacketType]:
    """The packet types for which an engine has keys."""
    kinds = []
    if engine.parts.spaces[0].sealer is not None:
        kinds.append(PacketType.INITIAL)
    if engine.parts.spaces[HANDSHAKE].sealer is not None:
        kinds.append(PacketType.HANDSHAKE)
    if engine.parts.spaces[APPLICATION].phases is not None:
        kinds += [PacketType.ONE_RTT] * 3
    return kinds


def sealed_junk(fuzzer: Fuzzer, engine: QuicEngine) -> bytes:
    """A packet under real keys with something wrong in it."""
    random = fuzzer.random
    kinds = sealed_kinds(engine)
    if not kinds:
        return fuzzer.junk()
    kind = random.choice(kinds)
    draw = random.random()
    if draw < 0.75 and kind is PacketType.ONE_RTT:
        content = fuzzer.mild_frames(is_client=engine.is_client)
    elif draw < 0.85:
        content = fuzzer.damage(fuzzer.frames())
    else:
        content = fuzzer.frames()
    space = engine.parts.spaces[HANDSHAKE]
    if random.random() < 0.1 and space.crypto.sent_size:
        content = CryptoFrame(0, fuzzer.damage(space.crypto.unacked()[1])[:900]).data
        content = b"\x06\x00" + (0x4000 | len(content)).to_bytes(2, "big") + content
    options: dict[str, object] = {}
    if random.random() < 0.05:
        options["reserved"] = random.choice((0x04, 0x08, 0x10, 0x18))
    if random.random() < 0.05:
        options["destination_cid"] = fuzzer.draw(8)
    if random.random() < 0.1:
        options["packet_number"] = random.choice((0, 1, 100, random.getrandbits(20)))
    if kind is not PacketType.ONE_RTT:
        options["reserved"] = int(options.get("reserved", 0)) & 0x0C  # type: ignore[call-overload]
    data = craft(engine, kind, content, full=random.random() < 0.5, **options)  # type: ignore[arg-type]
    return fuzzer.damage(data) if random.random() < 0.1 else data
