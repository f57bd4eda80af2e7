import pytest

from qhttp3.config import DEFAULT_PSEUDO_ORDER
from qhttp3.errors import MalformedMessage
from qhttp3.outgoing import (
    prepare_request,
    prepare_response,
    prepare_trailers,
    section_size,
)
from qhttp3.settings import H3Settings

Field = tuple[bytes, bytes]

GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]
OK: list[Field] = [(b":status", b"200")]


def test_pseudo_headers_come_first_and_in_order() -> None:
    order = (b":method", b":authority", b":scheme", b":path")
    prepared = prepare_request([(b"X-Y", b"z"), *GET], order, None)

    assert [*order, b"x-y"] == [name for name, _ in prepared]


@pytest.mark.parametrize(
    "field",
    [(b"x", b"a\r\nb: c"), (b"x\r\ny", b""), (b"Connection", b"close"), (b":foo", b"/"), (b"x y", b"")],
)
def test_what_must_not_be_sent_is_not(field: Field) -> None:  # RFC 9114 §4.2
    with pytest.raises(MalformedMessage):
        prepare_request([*GET, field], DEFAULT_PSEUDO_ORDER, None)
    with pytest.raises(MalformedMessage):
        prepare_response([*OK, field], None)
    with pytest.raises(MalformedMessage):
        prepare_trailers([field], None)


@pytest.mark.parametrize(
    ("status", "is_final"), [(b"100", False), (b"103", False), (b"200", True), (b"599", True)]
)
def test_interim_and_final_responses(status: bytes, is_final: bool) -> None:
    assert (((b":status", status),), is_final) == prepare_response([(b":status", status)], None)


def test_extended_connect_needs_the_setting_of_the_server() -> None:  # RFC 9220 §3
    fields = [(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"websocket")]
    with pytest.raises(MalformedMessage):
        prepare_request(fields, DEFAULT_PSEUDO_ORDER, H3Settings())

    assert tuple(fields) == prepare_request(
        fields, DEFAULT_PSEUDO_ORDER, H3Settings.build(enable_connect_protocol=True)
    )


def test_the_limit_of_the_peer_is_kept() -> None:  # RFC 9114 §4.2.2
    peer = H3Settings.build(max_field_section_size=section_size([*OK, (b"x", b"y" * 10)]))

    prepare_response([*OK, (b"x", b"y" * 10)], peer)
    for prepare in (prepare_response, prepare_trailers):
        with pytest.raises(MalformedMessage):
            prepare([*OK, (b"x", b"y" * 11)], peer)


def test_section_size() -> None:  # RFC 9114 §4.2.2
    assert 0 == section_size([])
    assert 2 * 32 + 4 == section_size([(b"a", b"b"), (b"c", b"d")])


def test_what_is_remembered_of_a_request_depends_on_the_peer() -> None:
    fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:], (b"remembered", b"1")]
    connects = H3Settings.build(enable_connect_protocol=True)
    small = H3Settings.build(max_field_section_size=40, enable_connect_protocol=True)

    assert prepare_request(fields, DEFAULT_PSEUDO_ORDER, connects)
    for peer in (None, small):
        with pytest.raises(MalformedMessage):
            prepare_request(fields, DEFAULT_PSEUDO_ORDER, peer)
