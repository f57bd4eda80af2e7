"""Transport parameters: an ordered list of raw entries, and a typed view of the known ones.

What was parsed encodes to the same bytes: order, unknown parameters, duplicates and encodings longer than
necessary are kept. Nothing is judged before ``validate`` or the typed property is asked for.
RFC 9000 §7.4, §18; RFC 9221 §3; RFC 9287 §3; RFC 9368 §3.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NoReturn, final

import quicvarint
from qwire import constants as c
from qwire.buffer import Writer
from qwire.errors import DecodeError, Truncated
from qwire.preferred_address import PreferredAddress
from qwire.raw_parameters import Parameter, encode_entries, parse_entries, shared

__all__ = ["Parameter", "PreferredAddress", "TransportParameters"]

_SERVER_ONLY: Final = frozenset(
    (
        c.TP_ORIGINAL_DESTINATION_CONNECTION_ID,
        c.TP_STATELESS_RESET_TOKEN,
        c.TP_PREFERRED_ADDRESS,
        c.TP_RETRY_SOURCE_CONNECTION_ID,
    )
)
_MAX: Final = quicvarint.MAX
_INTEGERS: Final[dict[int, tuple[int, int, int]]] = {  # id: default, smallest, largest allowed
    c.TP_MAX_IDLE_TIMEOUT: (0, 0, _MAX),
    c.TP_MAX_UDP_PAYLOAD_SIZE: (65527, 1200, _MAX),
    c.TP_INITIAL_MAX_DATA: (0, 0, _MAX),
    c.TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL: (0, 0, _MAX),
    c.TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE: (0, 0, _MAX),
    c.TP_INITIAL_MAX_STREAM_DATA_UNI: (0, 0, _MAX),
    c.TP_INITIAL_MAX_STREAMS_BIDI: (0, 0, c.MAX_STREAM_COUNT),
    c.TP_INITIAL_MAX_STREAMS_UNI: (0, 0, c.MAX_STREAM_COUNT),
    c.TP_ACK_DELAY_EXPONENT: (3, 0, 20),
    c.TP_MAX_ACK_DELAY: (25, 0, (1 << 14) - 1),
    c.TP_ACTIVE_CONNECTION_ID_LIMIT: (2, 2, _MAX),
    c.TP_MAX_DATAGRAM_FRAME_SIZE: (0, 0, _MAX),
}
_CONNECTION_IDS: Final = frozenset(
    (
        c.TP_ORIGINAL_DESTINATION_CONNECTION_ID,
        c.TP_INITIAL_SOURCE_CONNECTION_ID,
        c.TP_RETRY_SOURCE_CONNECTION_ID,
    )
)
_FLAGS: Final = frozenset(
    (
        c.TP_DISABLE_ACTIVE_MIGRATION,
        c.TP_GREASE_QUIC_BIT,
        c.TP_RESET_STREAM_AT,
        c.TP_RESET_STREAM_AT_07,
    )
)


@final
class TransportParameters:
    """The transport parameters of one side, in their order. Immutable.

    A typed property gives the default of RFC 9000 §18.2 for a parameter that is absent, the first entry of one
    that is repeated, and raises ``DecodeError`` for a value that cannot be read.
    """

    __slots__ = ("_encoded", "_entries")

    def __init__(self, entries: Iterable[Parameter] = ()) -> None:
        self._entries = tuple(entries)
        self._encoded = b""  # as far as it is known; without entries it stands for them

    @classmethod
    def parse(cls, data: bytes) -> TransportParameters:
        """Read the body of the quic_transport_parameters extension.

        RFC 9000 §18.

        Raises:
            DecodeError: truncated. Values are not looked into; ``validate`` does that.
        """
        parameters = cls(parse_entries(data))
        parameters._encoded = data
        return parameters

    @classmethod
    def build(
        cls,
        *,
        original_destination_connection_id: bytes | None = None,
        max_idle_timeout: int = 0,
        stateless_reset_token: bytes | None = None,
        max_udp_payload_size: int = 65527,
        initial_max_data: int = 0,
        initial_max_stream_data_bidi_local: int = 0,
        initial_max_stream_data_bidi_remote: int = 0,
        initial_max_stream_data_uni: int = 0,
        initial_max_streams_bidi: int = 0,
        initial_max_streams_uni: int = 0,
        ack_delay_exponent: int = 3,
        max_ack_delay: int = 25,
        disable_active_migration: bool = False,
        preferred_address: PreferredAddress | None = None,
        active_connection_id_limit: int = 2,
        initial_source_connection_id: bytes | None = None,
        retry_source_connection_id: bytes | None = None,
        version_information: tuple[int, tuple[int, ...]] | None = None,
        reset_stream_at: bool = False,
        max_datagram_frame_size: int = 0,
        grease_quic_bit: bool = False,
        min_ack_delay: int | None = None,
    ) -> TransportParameters:
        """Parameters from values, in ascending order of their ids; those with the default value are left out.

        RFC 9000 §18.2. ``max_idle_timeout`` and ``max_ack_delay`` are in milliseconds, ``min_ack_delay`` in
        microseconds, as on the wire.

        Raises:
            ValueError: a value that has no encoding.
        """
        version_value: bytes | None = None
        if version_information is not None:
            writer = Writer()
            writer.write_uint32(version_information[0])
            for version in version_information[1]:
                writer.write_uint32(version)
            version_value = writer.getvalue()
        min_ack_delay_value = None if min_ack_delay is None else _integer(min_ack_delay)
        preferred_value = None if preferred_address is None else preferred_address.encode()
        values: list[tuple[int, bytes | None]] = [
            (c.TP_ORIGINAL_DESTINATION_CONNECTION_ID, original_destination_connection_id),
            (c.TP_MAX_IDLE_TIMEOUT, _unless(max_idle_timeout, 0)),
            (c.TP_STATELESS_RESET_TOKEN, stateless_reset_token),
            (c.TP_MAX_UDP_PAYLOAD_SIZE, _unless(max_udp_payload_size, 65527)),
            (c.TP_INITIAL_MAX_DATA, _unless(initial_max_data, 0)),
            (c.TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL, _unless(initial_max_stream_data_bidi_local, 0)),
            (c.TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE, _unless(initial_max_stream_data_bidi_remote, 0)),
            (c.TP_INITIAL_MAX_STREAM_DATA_UNI, _unless(initial_max_stream_data_uni, 0)),
            (c.TP_INITIAL_MAX_STREAMS_BIDI, _unless(initial_max_streams_bidi, 0)),
            (c.TP_INITIAL_MAX_STREAMS_UNI, _unless(initial_max_streams_uni, 0)),
            (c.TP_ACK_DELAY_EXPONENT, _unless(ack_delay_exponent, 3)),
            (c.TP_MAX_ACK_DELAY, _unless(max_ack_delay, 25)),
            (c.TP_DISABLE_ACTIVE_MIGRATION, b"" if disable_active_migration else None),
            (c.TP_PREFERRED_ADDRESS, preferred_value),
            (c.TP_ACTIVE_CONNECTION_ID_LIMIT, _unless(active_connection_id_limit, 2)),
            (c.TP_INITIAL_SOURCE_CONNECTION_ID, initial_source_connection_id),
            (c.TP_RETRY_SOURCE_CONNECTION_ID, retry_source_connection_id),
            (c.TP_VERSION_INFORMATION, version_value),
            (c.TP_RESET_STREAM_AT, b"" if reset_stream_at else None),
            (c.TP_MAX_DATAGRAM_FRAME_SIZE, _unless(max_datagram_frame_size, 0)),
            (c.TP_GREASE_QUIC_BIT, b"" if grease_quic_bit else None),
            (c.TP_MIN_ACK_DELAY, min_ack_delay_value),
        ]
        return cls([shared(id, value) for id, value in values if value is not None])

    @property
    def entries(self) -> tuple[Parameter, ...]:
        """All entries, in order."""
        return self._entries or tuple(parse_entries(self._encoded))

    def condense(self) -> None:
        """Keep the encoding alone, an eighth of the size; entries are read again by who still asks for some.

        Raises:
            ValueError: an id or length that does not fit the size asked for.
        """
        self._encoded = self.encode()
        self._entries = ()

    def encode(self) -> bytes:
        """The body of the quic_transport_parameters extension.

        Raises:
            ValueError: an id or length that does not fit the size asked for.
        """
        return self._encoded or encode_entries(self._entries)

    def get(self, id: int) -> bytes | None:
        """The value of the first entry with that id, None when there is none."""
        for entry in self._entries or self.entries:
            if entry.id == id:
                return entry.value
        return None

    def get_integer(self, id: int) -> int | None:
        """The value of the first entry with that id read as a varint, None when there is none.

        Raises:
            DecodeError: the value is not exactly one varint.
        """
        for entry in self._entries or self.entries:
            if entry.id == id:
                return self._integer(id)
        return None

    def replace(self, id: int, value: bytes) -> TransportParameters:
        """These parameters with another value for ``id``: in its place, or at the end when it was absent."""
        entries = list(self.entries)
        for index, entry in enumerate(entries):
            if entry.id == id:
                entries[index] = Parameter(id, value, entry.id_size, 0)
                return TransportParameters(entries)
        entries.append(Parameter(id, value))
        return TransportParameters(entries)

    def without(self, id: int) -> TransportParameters:
        """These parameters less every entry with that id."""
        return TransportParameters([entry for entry in self.entries if entry.id != id])

    def validate(self, is_client: bool) -> None:
        """Check what RFC 9000 §7.4 and §18.2 demand; ``is_client`` tells who sent the parameters.

        Raises:
            DecodeError: a parameter twice, one that only servers send from a client, a value out of range.
        """
        entries = self.entries
        ids: set[int] = set()
        for entry in entries:
            ids.add(entry.id)
        if len(ids) != len(entries):
            raise DecodeError(f"{c.parameter_name(self._repeated())} twice")
        if is_client:
            for id in _SERVER_ONLY:
                if id in ids:
                    raise DecodeError(f"{c.parameter_name(id)} from a client")
        for entry in entries:
            if not entry.is_sound:
                _check_value(entry)
                entry.is_sound = True
        versions = self.version_information
        if versions is not None and (versions[0] == 0 or 0 in versions[1]):  # RFC 9368 §3
            raise DecodeError("version_information holds version 0")
        for id in (c.TP_MIN_ACK_DELAY, c.TP_MIN_ACK_DELAY_02):
            delay = self.get_integer(id) if id in ids else None
            if delay is not None and delay > self.max_ack_delay * 1000:  # draft-ietf-quic-ack-frequency-14 §3
                raise DecodeError(
                    f"min_ack_delay of {delay} us above max_ack_delay of {self.max_ack_delay} ms"
                )
        if (
            c.TP_PREFERRED_ADDRESS in ids
            and self.preferred_address is not None
            and self.initial_source_connection_id == b""
        ):
            # RFC 9000 §18.2: a server without a connection ID cannot offer one for another address.
            raise DecodeError("preferred_address from a server with an empty connection ID")

    @property
    def original_destination_connection_id(self) -> bytes | None:
        """Destination connection ID of the client's first Initial."""
        return self.get(c.TP_ORIGINAL_DESTINATION_CONNECTION_ID)

    @property
    def max_idle_timeout(self) -> int:
        """Milliseconds; 0 is none."""
        return self._integer(c.TP_MAX_IDLE_TIMEOUT)

    @property
    def stateless_reset_token(self) -> bytes | None:
        """Token of the connection ID used in the handshake."""
        return self.get(c.TP_STATELESS_RESET_TOKEN)

    @property
    def max_udp_payload_size(self) -> int:
        """Bytes of the largest datagram that is received."""
        return self._integer(c.TP_MAX_UDP_PAYLOAD_SIZE)

    @property
    def initial_max_data(self) -> int:
        """Bytes of credit for the connection."""
        return self._integer(c.TP_INITIAL_MAX_DATA)

    @property
    def initial_max_stream_data_bidi_local(self) -> int:
        """Bytes of credit for each bidirectional stream that the sender of the parameter opens."""
        return self._integer(c.TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL)

    @property
    def initial_max_stream_data_bidi_remote(self) -> int:
        """Bytes of credit for each bidirectional stream that the receiver of the parameter opens."""
        return self._integer(c.TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE)

    @property
    def initial_max_stream_data_uni(self) -> int:
        """Bytes of credit for each unidirectional stream that the receiver of the parameter opens."""
        return self._integer(c.TP_INITIAL_MAX_STREAM_DATA_UNI)

    @property
    def initial_max_streams_bidi(self) -> int:
        """Bidirectional streams that the receiver of the parameter may open."""
        return self._integer(c.TP_INITIAL_MAX_STREAMS_BIDI)

    @property
    def initial_max_streams_uni(self) -> int:
        """Unidirectional streams that the receiver of the parameter may open."""
        return self._integer(c.TP_INITIAL_MAX_STREAMS_UNI)

    @property
    def ack_delay_exponent(self) -> int:
        """Power of two that turns the delay of an ACK frame into microseconds."""
        return self._integer(c.TP_ACK_DELAY_EXPONENT)

    @property
    def max_ack_delay(self) -> int:
        """Milliseconds by which acknowledgments may be late."""
        return self._integer(c.TP_MAX_ACK_DELAY)

    @property
    def disable_active_migration(self) -> bool:
        """Whether the peer must not change addresses on purpose."""
        return self.get(c.TP_DISABLE_ACTIVE_MIGRATION) is not None

    @property
    def preferred_address(self) -> PreferredAddress | None:
        """Where the server wants to be talked to after the handshake."""
        value = self.get(c.TP_PREFERRED_ADDRESS)
        return None if value is None else PreferredAddress.parse(value)

    @property
    def active_connection_id_limit(self) -> int:
        """Connection IDs of the peer that are kept."""
        return self._integer(c.TP_ACTIVE_CONNECTION_ID_LIMIT)

    @property
    def initial_source_connection_id(self) -> bytes | None:
        """Source connection ID of the first Initial sent."""
        return self.get(c.TP_INITIAL_SOURCE_CONNECTION_ID)

    @property
    def retry_source_connection_id(self) -> bytes | None:
        """Source connection ID of the Retry sent, if one was."""
        return self.get(c.TP_RETRY_SOURCE_CONNECTION_ID)

    @property
    def version_information(self) -> tuple[int, tuple[int, ...]] | None:
        """Chosen version and available versions, RFC 9368 §3."""
        value = self.get(c.TP_VERSION_INFORMATION)
        if value is None:
            return None
        if len(value) < 4 or len(value) % 4:
            raise DecodeError(f"version_information of {len(value)} bytes")
        versions = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
        return versions[0], tuple(versions[1:])

    @property
    def reset_stream_at(self) -> bool:
        """Whether RESET_STREAM_AT is understood; the seventh draft said so by another id."""
        return self.get(c.TP_RESET_STREAM_AT) is not None or self.get(c.TP_RESET_STREAM_AT_07) is not None

    @property
    def max_datagram_frame_size(self) -> int:
        """Bytes of the largest DATAGRAM frame that is received; 0 is none. RFC 9221 §3."""
        return self._integer(c.TP_MAX_DATAGRAM_FRAME_SIZE)

    @property
    def grease_quic_bit(self) -> bool:
        """Whether packets with a fixed bit of 0 are received. RFC 9287 §3."""
        return self.get(c.TP_GREASE_QUIC_BIT) is not None

    @property
    def min_ack_delay(self) -> int | None:
        """Microseconds; None when ACK_FREQUENCY is not understood. draft-ietf-quic-ack-frequency-14 §3."""
        return self.get_integer(c.TP_MIN_ACK_DELAY)

    @property
    def min_ack_delay_02(self) -> int | None:
        """The same as of draft-ietf-quic-ack-frequency-02 §3, whose frames mean something else."""
        return self.get_integer(c.TP_MIN_ACK_DELAY_02)

    def _integer(self, id: int) -> int:
        for entry in self._entries or self.entries:
            if entry.id == id:
                number = entry.integer()
                if number < 0:
                    _refuse_number(entry)
                return number
        return _INTEGERS[id][0]

    def _repeated(self) -> int:
        """The id of the first entry that repeats another one."""
        seen: set[int] = set()
        for entry in self.entries:
            if entry.id in seen:
                return entry.id
            seen.add(entry.id)
        raise ValueError("all entries differ")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TransportParameters):
            return NotImplemented
        return self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.entries)

    def __repr__(self) -> str:
        entries = ", ".join([f"{c.parameter_name(entry.id)}={entry.value.hex()}" for entry in self.entries])
        return f"TransportParameters({entries})"

    def __reduce__(self) -> tuple[type[TransportParameters], tuple[tuple[Parameter, ...]]]:
        return TransportParameters, (self.entries,)


@lru_cache(maxsize=256)  # connections of one configuration say the same
def _integer(value: int) -> bytes:
    data = bytearray()
    quicvarint.append(data, value)
    return bytes(data)


def _check_value(entry: Parameter) -> None:
    """What RFC 9000 §18.2 demands of a value by itself."""
    id, size = entry.id, len(entry.value)
    bounds = _INTEGERS.get(id)
    if bounds is not None:
        number = entry.integer()
        if number < 0:
            _refuse_number(entry)
        if not bounds[1] <= number <= bounds[2]:
            raise DecodeError(f"{c.parameter_name(id)} is {number}")
    elif id in _CONNECTION_IDS:
        if size > c.MAX_CID_SIZE:
            raise DecodeError(f"{c.parameter_name(id)} of {size} bytes")
    elif id in _FLAGS:
        if size:
            raise DecodeError(f"{c.parameter_name(id)} has a value of {size} bytes")
    elif id == c.TP_STATELESS_RESET_TOKEN and size != c.RESET_TOKEN_SIZE:
        raise DecodeError(f"stateless_reset_token of {size} bytes")


def _refuse_number(entry: Parameter) -> NoReturn:
    """Say what is wrong with a value that is no integer."""
    name = c.parameter_name(entry.id)
    try:
        _, stop = quicvarint.parse(entry.value)
    except quicvarint.VarintError as error:
        raise Truncated(f"truncated: {name}: {error}") from None
    raise DecodeError(f"{name}: {len(entry.value) - stop} bytes after the integer")


def _unless(value: int, default: int) -> bytes | None:
    return None if value == default else _integer(value)
