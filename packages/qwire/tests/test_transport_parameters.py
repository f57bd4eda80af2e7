"""Transport parameters: raw entries kept, typed view, validation."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quicvarint
from qwire import constants
from qwire.constants import VERSION_1, VERSION_2, parameter_name
from qwire.errors import DecodeError, Truncated
from qwire.transport_parameters import Parameter, PreferredAddress, TransportParameters

ADDRESS = PreferredAddress(b"\x7f\0\0\1", 443, bytes(15) + b"\1", 8443, b"\xaa\xbb", bytes(range(16)))
EVERYTHING = TransportParameters.build(
    original_destination_connection_id=b"original",
    max_idle_timeout=30000,
    stateless_reset_token=bytes(16),
    max_udp_payload_size=1472,
    initial_max_data=15728640,
    initial_max_stream_data_bidi_local=1,
    initial_max_stream_data_bidi_remote=2,
    initial_max_stream_data_uni=3,
    initial_max_streams_bidi=100,
    initial_max_streams_uni=103,
    ack_delay_exponent=8,
    max_ack_delay=20,
    disable_active_migration=True,
    preferred_address=ADDRESS,
    active_connection_id_limit=8,
    initial_source_connection_id=b"source",
    retry_source_connection_id=b"retry",
    version_information=(VERSION_1, (VERSION_2, VERSION_1)),
    reset_stream_at=True,
    max_datagram_frame_size=65535,
    grease_quic_bit=True,
    min_ack_delay=1000,
)
SIZES = (1, 2, 4, 8)


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    """Any entry that can be on the wire, in any encoding."""
    value = draw(st.binary(max_size=40))
    id = draw(st.integers(min_value=0, max_value=quicvarint.MAX) | st.integers(min_value=0, max_value=0x20))
    return Parameter(
        id,
        value,
        draw(st.sampled_from((0, *(size for size in SIZES if size > quicvarint.size(id))))),
        draw(st.sampled_from((0, *(size for size in SIZES if size > quicvarint.size(len(value)))))),
    )


@given(st.lists(parameters(), max_size=8))
def test_entries_go_both_ways(entries: list[Parameter]) -> None:
    # Order, duplicates, unknown ids and long encodings are kept.
    expected = TransportParameters(entries)
    data = expected.encode()
    parsed = TransportParameters.parse(data)

    assert tuple(entries) == parsed.entries
    assert expected == parsed
    assert hash(expected) == hash(parsed)
    assert data == parsed.encode()


@given(st.lists(parameters(), min_size=1, max_size=4))
def test_every_prefix_is_truncated_or_less(entries: list[Parameter]) -> None:
    data = TransportParameters(entries).encode()
    for cut in range(len(data)):
        try:
            parsed = TransportParameters.parse(data[:cut])
        except Truncated:
            continue
        assert tuple(entries[: len(parsed.entries)]) == parsed.entries
        assert len(parsed.entries) < len(entries)


@given(st.binary(max_size=120))
def test_nothing_but_decode_error_for_any_bytes(data: bytes) -> None:
    try:
        parsed = TransportParameters.parse(data)
    except DecodeError as error:
        assert "truncated" in error.reason
        return
    assert data == parsed.encode()
    for is_client in (True, False):
        try:
            parsed.validate(is_client)
        except DecodeError as error:
            assert error.reason


@given(
    st.lists(st.tuples(st.integers(0, 0x20) | st.just(constants.TP_MIN_ACK_DELAY), st.binary(max_size=60)))
)
def test_no_value_escapes_validation(entries: list[tuple[int, bytes]]) -> None:
    # What passes validate gives a value for every property; what does not raises DecodeError.
    params = TransportParameters([Parameter(id, value) for id, value in entries])
    try:
        params.validate(False)
    except DecodeError:
        return
    for name in (name for name in dir(params) if isinstance(getattr(TransportParameters, name), property)):
        getattr(params, name)


def test_values_are_read_back() -> None:
    params = TransportParameters.parse(EVERYTHING.encode())
    params.validate(False)

    assert b"original" == params.original_destination_connection_id
    assert 30000 == params.max_idle_timeout
    assert bytes(16) == params.stateless_reset_token
    assert 1472 == params.max_udp_payload_size
    assert 15728640 == params.initial_max_data
    assert 1 == params.initial_max_stream_data_bidi_local
    assert 2 == params.initial_max_stream_data_bidi_remote
    assert 3 == params.initial_max_stream_data_uni
    assert 100 == params.initial_max_streams_bidi
    assert 103 == params.initial_max_streams_uni
    assert 8 == params.ack_delay_exponent
    assert 20 == params.max_ack_delay
    assert params.disable_active_migration
    assert ADDRESS == params.preferred_address
    assert 8 == params.active_connection_id_limit
    assert b"source" == params.initial_source_connection_id
    assert b"retry" == params.retry_source_connection_id
    assert (VERSION_1, (VERSION_2, VERSION_1)) == params.version_information
    assert params.reset_stream_at
    assert 65535 == params.max_datagram_frame_size
    assert params.grease_quic_bit
    assert 1000 == params.min_ack_delay


def test_ids_of_the_registry() -> None:  # RFC 9000 §18.2, RFC 9368 §3, RFC 9221 §3, RFC 9287 §3
    ids = [*range(0x12), 0x1D, 0x20, 0x2AB2, 0xFF04DE1B]

    assert ids == [entry.id for entry in EVERYTHING.entries]


def test_defaults_are_those_of_the_rfc_and_are_not_sent() -> None:  # RFC 9000 §18.2
    empty = TransportParameters.build()

    assert b"" == empty.encode()
    assert 65527 == empty.max_udp_payload_size
    assert 3 == empty.ack_delay_exponent
    assert 25 == empty.max_ack_delay
    assert 2 == empty.active_connection_id_limit
    assert 0 == empty.max_idle_timeout
    assert 0 == empty.initial_max_streams_bidi
    assert 0 == empty.max_datagram_frame_size
    assert not empty.disable_active_migration
    assert not empty.grease_quic_bit
    assert not empty.reset_stream_at
    assert empty.preferred_address is None
    assert empty.version_information is None
    assert empty.min_ack_delay is None
    assert empty.initial_source_connection_id is None
    empty.validate(True)


@pytest.mark.parametrize(
    ("data", "is_client", "reason"),
    [
        pytest.param("010100 010100", True, "max_idle_timeout twice", id="known one twice"),
        pytest.param("1b00 1b00", True, "0x1b twice", id="unknown one twice"),
        pytest.param("000101", True, "original_destination_connection_id from a client", id="odcid"),
        pytest.param("0210" + "00" * 16, True, "stateless_reset_token from a client", id="reset token"),
        pytest.param("0d00", True, "preferred_address from a client", id="preferred address"),
        pytest.param("1000", True, "retry_source_connection_id from a client", id="retry"),
        pytest.param("020f" + "00" * 15, False, "stateless_reset_token of 15 bytes", id="short token"),
        pytest.param("0302 44af", False, "max_udp_payload_size is 1199", id="1199 bytes"),
        pytest.param("0a01 15", False, "ack_delay_exponent is 21", id="exponent 21"),
        pytest.param("0b04 80004000", False, "max_ack_delay is 16384", id="2^14 ms"),
        pytest.param("0e01 01", False, "active_connection_id_limit is 1", id="limit 1"),
        pytest.param("0808 d000000000000001", False, "initial_max_streams_bidi is", id="bidi above 2^60"),
        pytest.param("0908 d000000000000001", False, "initial_max_streams_uni is", id="uni above 2^60"),
        pytest.param("0c01 00", False, "disable_active_migration has a value", id="flag with a value"),
        pytest.param("6ab201 00", False, "grease_quic_bit has a value", id="grease bit with a value"),
        pytest.param("0f15" + "00" * 21, False, "initial_source_connection_id of 21", id="long id"),
        pytest.param("0401 40", False, "truncated: initial_max_data", id="integer cut"),
        pytest.param("0400", False, "truncated: initial_max_data", id="integer missing"),
        pytest.param("0402 0000", False, "initial_max_data: 1 bytes after", id="integer and more"),
        pytest.param("1103 000000", False, "version_information of 3 bytes", id="versions cut"),
        pytest.param("1100", False, "version_information of 0 bytes", id="no chosen version"),
        pytest.param("1104 00000000", False, "version 0", id="chosen version 0"),
        pytest.param("1108 0000000100000000", False, "version 0", id="available version 0"),
        pytest.param("0d29" + "00" * 41, False, "connection ID of 0 bytes", id="preferred, empty id"),
        pytest.param("0d29" + "00" * 24 + "01" + "00" * 16, False, "truncated", id="preferred, cut"),
        pytest.param("0d2b" + "00" * 24 + "01" + "00" * 18, False, "1 bytes after", id="preferred, long"),
        pytest.param(
            "0d2a" + "00" * 24 + "01" + "00" * 17 + "0f00", False, "empty connection ID", id="no cid"
        ),
        pytest.param("c0000000ff04de1b04 800061a9", False, "min_ack_delay of 25001", id="min above max"),
    ],
)
def test_validation_refuses(data: str, is_client: bool, reason: str) -> None:
    params = TransportParameters.parse(bytes.fromhex(data))

    with pytest.raises(DecodeError, match=reason):
        params.validate(is_client)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("0302 44b0", id="1200 bytes"),
        pytest.param("0a01 14", id="exponent 20"),
        pytest.param("0b02 7fff", id="2^14 - 1 ms"),
        pytest.param("0808 d000000000000000", id="2^60 streams"),
        pytest.param("0f00", id="empty connection ID"),
        pytest.param("c0000000ff04de1b04 800061a8", id="min_ack_delay equal to max_ack_delay"),
        pytest.param("0108 c000000000007530", id="integer longer than needed"),
    ],
)
def test_validation_accepts_the_edge(data: str) -> None:
    TransportParameters.parse(bytes.fromhex(data)).validate(True)


def test_a_server_may_send_everything() -> None:
    EVERYTHING.validate(False)

    with pytest.raises(DecodeError, match="from a client"):
        EVERYTHING.validate(True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("04", "no byte at 1", id="no length"),
        pytest.param("0402 00", "parameter 0x4 of 2 bytes, 1 left", id="value cut"),
        pytest.param("c00000", "8 bytes from 0", id="id cut"),
        pytest.param("04ffffffffffffffff", "of 4611686018427387903 bytes", id="largest length"),
    ],
)
def test_refuses_truncated(data: str, reason: str) -> None:
    with pytest.raises(Truncated, match=reason):
        TransportParameters.parse(bytes.fromhex(data))


def test_replace_keeps_the_place() -> None:
    params = TransportParameters([Parameter(4, b"\x01", 2, 4), Parameter(0x1B, b""), Parameter(4, b"\x02")])

    assert (Parameter(4, b"\x07\x08", 2), *params.entries[1:]) == params.replace(4, b"\x07\x08").entries
    assert (*params.entries, Parameter(1, b"\x05")) == params.replace(1, b"\x05").entries
    assert (Parameter(0x1B, b""),) == params.without(4).entries
    assert b"\x01" == params.get(4)
    assert params.get(5) is None
    assert 1 == params.get_integer(4)


@pytest.mark.parametrize(
    "value", [EVERYTHING, Parameter(1, b"a", 2, 4), ADDRESS], ids=lambda v: type(v).__name__
)
def test_parameters_can_be_pickled(value: object) -> None:
    assert value == pickle.loads(pickle.dumps(value))


def test_repr_names_the_parameters() -> None:
    params = TransportParameters([Parameter(4, b"\x01"), Parameter(0x1B, b"\xff")])

    assert "TransportParameters(initial_max_data=01, 0x1b=ff)" == repr(params)
    assert "0x1b" == parameter_name(0x1B)


def test_other_values_are_not_equal() -> None:
    assert TransportParameters() != b""
    assert TransportParameters() != TransportParameters([Parameter(1, b"")])


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(PreferredAddress(b"", 0, bytes(16), 0, b"\1", bytes(16)), id="address"),
        pytest.param(PreferredAddress(bytes(4), 0, bytes(16), 0, b"\1", bytes(15)), id="token"),
        pytest.param(PreferredAddress(bytes(4), 65536, bytes(16), 0, b"\1", bytes(16)), id="port"),
    ],
)
def test_preferred_address_misuse(address: PreferredAddress) -> None:
    with pytest.raises(ValueError):
        address.encode()
