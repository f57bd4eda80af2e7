"""Connection IDs that tell a load balancer which server they belong to, and nobody else.

A server writes its ID into each of its connection IDs, in the clear or encrypted under a key that it shares with the
load balancer; `server_id_in` is the load balancer's half. draft-ietf-quic-load-balancers-21.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from qtls.block_cipher import BLOCK_SIZE, BlockCipher

# §3.1: three bits name the configuration; the last codepoint says that an ID is not routable.
ROTATION_SHIFT: Final = 5
MAX_ROTATION: Final = 6
LENGTH_MASK: Final = 0x1F
# §5.1, §5.2: at least one byte of server ID, four of nonce, and both within a connection ID.
MIN_SERVER_ID: Final = 1
MAX_SERVER_ID: Final = 15
MIN_NONCE: Final = 4
MAX_BODY: Final = 19
# §5.4.2.2: the padded half, then the length, then the pass.
HALF_ROOM: Final = 14


@dataclass(frozen=True, kw_only=True)
class RoutingConfig:
    """What servers and their load balancers have to agree on. §5.

    Attributes:
        rotation: codepoint of this configuration, 0 to 6: while keys are replaced, two are in use.
        server_id_size: bytes of a server's ID, 1 to 15.
        nonce_size: bytes that differ from ID to ID, at least 4; 18 together with the server's at most 19.
        key: 16 bytes that hide the server's ID, or None to show it.
        encodes_length: whether the first byte tells the length of the ID, for hardware that decrypts packets;
            otherwise it looks random.

    Raises:
        ValueError: a field is out of range.
    """

    rotation: int = 0
    server_id_size: int
    nonce_size: int
    key: bytes | None = field(default=None, repr=False)
    encodes_length: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.rotation <= MAX_ROTATION:
            raise ValueError(f"rotation is 0 to {MAX_ROTATION}, not {self.rotation}")
        if not MIN_SERVER_ID <= self.server_id_size <= MAX_SERVER_ID:
            raise ValueError(
                f"server_id_size is {MIN_SERVER_ID} to {MAX_SERVER_ID}, not {self.server_id_size}"
            )
        if not MIN_NONCE <= self.nonce_size <= MAX_BODY - self.server_id_size:
            raise ValueError(
                f"nonce_size is {MIN_NONCE} to {MAX_BODY - self.server_id_size} beside {self.server_id_size} bytes "
                f"of server ID, not {self.nonce_size}"
            )
        if self.key is not None:
            BlockCipher(self.key)

    @property
    def body_size(self) -> int:
        """Bytes of an ID after the first."""
        return self.server_id_size + self.nonce_size

    @property
    def size(self) -> int:
        """Bytes of an ID."""
        return 1 + self.body_size

    @property
    def first_byte(self) -> int:
        """What an ID begins with if it tells its length. §3."""
        return self.rotation << ROTATION_SHIFT | self.body_size


@final
class RoutingCodec:
    """Writes and reads the connection IDs of one configuration."""

    __slots__ = ("_cipher", "_is_odd", "config")

    def __init__(self, config: RoutingConfig) -> None:
        self.config = config
        self._cipher = None if config.key is None else BlockCipher(config.key)
        self._is_odd = config.body_size % 2 == 1

    def encode(self, server_id: bytes, nonce: bytes, filler: int = 0) -> bytes:
        """The connection ID of a server's ID and a nonce, both of the configured sizes.

        Args:
            filler: what the low bits of the first byte hold if not the length.
        """
        config = self.config
        if (len(server_id), len(nonce)) != (config.server_id_size, config.nonce_size):
            raise ValueError(
                f"{len(server_id)} bytes of server ID and {len(nonce)} of nonce, "
                f"not {config.server_id_size} and {config.nonce_size}"
            )
        first_byte = config.first_byte
        if not config.encodes_length:
            first_byte = config.rotation << ROTATION_SHIFT | filler & LENGTH_MASK
        first = bytes((first_byte,))
        body = server_id + nonce
        if self._cipher is None:
            return first + body
        if config.body_size == BLOCK_SIZE:  # §5.4.1
            return first + self._cipher.encrypt(body)
        return first + self._encrypt(body)

    def decode(self, cid: bytes) -> bytes | None:
        """The server's ID in a connection ID, or in what begins with one; None if it is not of this configuration."""
        config = self.config
        if len(cid) < config.size or cid[0] >> ROTATION_SHIFT != config.rotation:
            return None
        body = cid[1 : config.size]
        if self._cipher is not None:
            if config.body_size == BLOCK_SIZE:
                body = self._cipher.decrypt(body)
            else:
                body = self._decrypt(body)
        return body[: config.server_id_size]

    # §5.4.2: four rounds of a Feistel network over two halves, which share the middle byte if there is one.

    def _encrypt(self, body: bytes) -> bytes:
        left, right = self._split(body)
        right = self._right(right, 1, left)
        left = self._left(left, 2, right)
        right = self._right(right, 3, left)
        left = self._left(left, 4, right)
        return self._join(left, right)

    def _decrypt(self, body: bytes) -> bytes:
        left, right = self._split(body)
        left = self._left(left, 4, right)
        right = self._right(right, 3, left)
        left = self._left(left, 2, right)
        if self.config.server_id_size <= self.config.nonce_size:
            return left  # the ID lies within the first half
        return self._join(left, self._right(right, 1, left))

    def _split(self, body: bytes) -> tuple[bytes, bytes]:
        half = (len(body) + 1) // 2
        left, right = body[:half], body[len(body) - half :]
        if self._is_odd:
            left, right = _clear_end(left), _clear_start(right)
        return left, right

    def _join(self, left: bytes, right: bytes) -> bytes:
        if not self._is_odd:
            return left + right
        return left[:-1] + bytes((left[-1] | right[0],)) + right[1:]

    def _left(self, left: bytes, number: int, right: bytes) -> bytes:
        mixed = self._round(left, number, right)
        return _clear_end(mixed) if self._is_odd else mixed

    def _right(self, right: bytes, number: int, left: bytes) -> bytes:
        mixed = self._round(right, number, left)
        return _clear_start(mixed) if self._is_odd else mixed

    def _round(self, target: bytes, number: int, source: bytes) -> bytes:
        assert self._cipher is not None, "only encrypted IDs have rounds"
        padded = source + bytes(HALF_ROOM - len(source)) + bytes((self.config.body_size, number))
        mask = self._cipher.encrypt(padded)[: len(target)]
        return (int.from_bytes(target, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(target), "big")


def _clear_end(half: bytes) -> bytes:
    return half[:-1] + bytes((half[-1] & 0xF0,))


def _clear_start(half: bytes) -> bytes:
    return bytes((half[0] & 0x0F,)) + half[1:]


@final
class RoutableIds:
    """Makes a server's connection IDs: a `ConnectionIdGenerator`.

    Args:
        server_id: this server's ID; no other server behind the load balancer has it.

    Raises:
        ValueError: the ID has another size than the configuration says.
    """

    __slots__ = ("_codec", "_nonce", "_random", "_server_id", "size")

    def __init__(self, config: RoutingConfig, server_id: bytes, random: Callable[[int], bytes]) -> None:
        if len(server_id) != config.server_id_size:
            raise ValueError(f"a server ID has {config.server_id_size} bytes here, not {len(server_id)}")
        self.size = config.size
        self._codec = RoutingCodec(config)
        self._server_id = server_id
        self._random = random
        self._nonce = int.from_bytes(random(config.nonce_size), "big")

    def generate(self) -> bytes:
        """A new ID.

        §5.3: encrypted nonces count from a random start, so that none comes twice; those that can be seen are random.
        """
        config = self._codec.config
        if config.key is None:
            nonce = self._random(config.nonce_size)
        else:
            self._nonce = (self._nonce + 1) % (1 << 8 * config.nonce_size)
            nonce = self._nonce.to_bytes(config.nonce_size, "big")
        filler = 0 if config.encodes_length else self._random(1)[0]
        return self._codec.encode(self._server_id, nonce, filler)


def server_id_in(datagram: bytes, codecs: Sequence[RoutingCodec]) -> bytes | None:
    """For load balancers: the ID of the server that a datagram belongs to.

    Looks at what all versions of QUIC have in common (RFC 8999 §5) and no further.

    Args:
        codecs: the configurations in use, each with a rotation codepoint of its own.

    Returns:
        None if the connection ID is not routable, as the first ones of a client: then addresses and ports have to
        decide (§4.1). An ID that no server has can come of these, too, and is to be treated likewise.
    """
    if not datagram:
        return None
    if datagram[0] & 0x80:
        if len(datagram) < 6 or len(datagram) < 6 + datagram[5]:
            return None
        cid = datagram[6 : 6 + datagram[5]]
    else:
        cid = datagram[1:21]
    for codec in codecs:
        found = codec.decode(cid)
        if found is not None:
            return found
    return None
