import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3 import headers
from qhttp3.errors import H3_MESSAGE_ERROR, StreamViolation

Field = tuple[bytes, bytes]

GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]
CONNECT: list[Field] = [(b":method", b"CONNECT"), (b":authority", b"a.example:443")]


def without(name: bytes) -> list[Field]:
    return [field for field in GET if field[0] != name]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(GET, id="plain"),
        pytest.param([*reversed(GET)], id="pseudo-headers in another order"),
        pytest.param([*without(b":authority"), (b"host", b"a.example")], id="host only"),
        pytest.param([*GET, (b"host", b"a.example")], id="host the same"),
        pytest.param(CONNECT, id="CONNECT"),
        pytest.param([(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")], id="OPTIONS *"),
        pytest.param([*GET, (b"te", b"trailers")], id="te: trailers"),
        pytest.param(
            [*GET, (b"x", b""), (b"cookie", b"a=b"), (b"cookie", b"c=d")], id="empty and repeated fields"
        ),
        pytest.param([(b":method", b"GET"), (b":scheme", b"urn"), (b":path", b"a")], id="other scheme"),
    ],
)
def test_good_requests(fields: list[Field]) -> None:  # RFC 9114 §4.3.1
    assert headers.check_request(fields) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param([*GET[:1], *GET], "twice", id="duplicate pseudo-header"),  # rigs H2
        pytest.param(without(b":method"), "no :method", id="no :method"),  # rigs H3
        pytest.param(without(b":scheme"), "no :scheme", id="no :scheme"),
        pytest.param(without(b":path"), "no :path", id="no :path"),
        pytest.param(without(b":authority"), "neither", id="no authority"),
        pytest.param([*GET, (b":foo", b"bar")], "prohibited", id="unknown pseudo-header"),  # rigs H4
        pytest.param([*GET, (b":status", b"200")], "prohibited", id="pseudo-header of responses"),
        pytest.param(
            [*GET[:3], (b"x", b"y"), GET[3]], "after other", id="pseudo-header after a field"
        ),  # rigs H5
        pytest.param([*GET, (b"X", b"y")], "field name", id="upper case"),
        pytest.param([*GET, (b"x y", b"")], "field name", id="space in a name"),
        pytest.param([*GET, (b"", b"y")], "field name", id="empty name"),
        pytest.param([*GET, (b"x", b"a\r\nb")], "line break", id="CR LF in a value"),
        pytest.param([*GET, (b"x", b"a\0b")], "NUL", id="NUL in a value"),
        pytest.param([*GET[:3], (b":path", b"/\n")], "line break", id="LF in a path"),
        pytest.param([*GET, (b"connection", b"close")], "connection-specific", id="connection"),
        pytest.param(
            [*GET, (b"transfer-encoding", b"chunked")], "connection-specific", id="transfer-encoding"
        ),
        pytest.param([*GET, (b"keep-alive", b"1")], "connection-specific", id="keep-alive"),
        pytest.param([*GET, (b"upgrade", b"h2c")], "connection-specific", id="upgrade"),
        pytest.param([*GET, (b"proxy-connection", b"x")], "connection-specific", id="proxy-connection"),
        pytest.param([*GET, (b"te", b"gzip")], "te is", id="te"),
        pytest.param([*GET, (b"host", b"b.example")], "but host", id="host differs"),
        pytest.param([*GET[:2], (b":authority", b""), GET[3]], "empty", id="empty authority"),
        pytest.param([*GET[:3], (b":path", b"")], ":path", id="empty path"),
        pytest.param([*GET[:3], (b":path", b"a")], ":path", id="path without slash"),
        pytest.param([(b":method", b""), *GET[1:]], ":method", id="empty method"),
        pytest.param([*CONNECT, (b":path", b"/")], "CONNECT", id="CONNECT with path"),
        pytest.param(CONNECT[:1], "CONNECT", id="CONNECT without authority"),
        pytest.param(
            [(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"x")], "extended", id="extended CONNECT"
        ),
        pytest.param([*GET, (b"content-length", b"-1")], "content-length", id="negative length"),
        pytest.param([*GET, (b"content-length", b"1, 1")], "content-length", id="list of lengths"),
        pytest.param([*GET, (b"content-length", b"1"), (b"content-length", b"2")], "both", id="two lengths"),
        pytest.param([], "no :method", id="nothing"),
    ],
)
def test_malformed_requests(fields: list[Field], reason: str) -> None:  # RFC 9114 §4.1.2, §4.2, §4.3
    for _ in range(2):  # the second time fields are known
        with pytest.raises(StreamViolation, match=reason) as caught:
            headers.check_request(fields)
        assert H3_MESSAGE_ERROR == caught.value.code


def test_extended_connect_where_it_is_allowed() -> None:  # RFC 9220
    assert (
        headers.check_request([(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"websocket")], True)
        is None
    )


def test_content_length() -> None:
    assert 17 == headers.check_request([*GET, (b"content-length", b"17"), (b"content-length", b"17")])
    assert (200, 3) == headers.check_response([(b":status", b"200"), (b"content-length", b"3")])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param([(b"x", b"y"), (b":status", b"200")], id="status not first"),
        pytest.param([(b":status", b"200"), (b":status", b"200")], id="status twice"),
        pytest.param([(b":status", b"99")], id="two digits"),
        pytest.param([(b":status", b"+99")], id="no digits"),
        pytest.param([(b":status", b"0200")], id="four digits"),
        pytest.param([(b":status", b"099")], id="below 100"),
        pytest.param([(b":status", b"101")], id="101"),  # RFC 9114 §4.5
        pytest.param([(b":status", b"200"), (b":path", b"/")], id="pseudo-header of requests"),
        pytest.param([(b":status", b"200"), (b"connection", b"close")], id="connection"),
    ],
)
def test_malformed_responses(fields: list[Field]) -> None:  # RFC 9114 §4.3.2
    with pytest.raises(StreamViolation):
        headers.check_response(fields)


def test_trailers_have_no_pseudo_headers() -> None:  # RFC 9114 §4.3
    headers.check_trailers([(b"x-sum", b"1")])
    with pytest.raises(StreamViolation):
        headers.check_trailers([(b":status", b"200")])


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=6))
def test_any_fields_pass_or_are_refused(fields: list[Field]) -> None:
    for check in (headers.check_request, headers.check_response, headers.check_trailers):
        try:
            check(fields)
        except StreamViolation:
            pass
    try:
        pseudo, regular = headers.clean(fields)
    except StreamViolation:
        return
    assert len(fields) == len(pseudo) + len(regular)


def test_remembered_fields_are_bounded() -> None:
    for number in range(3 * headers.CACHED_FIELDS):
        headers.check_trailers([(b"x", b"%d" % number)])

    assert headers.CACHED_FIELDS >= len(headers._good)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param((b"accept", b"*/*"), True, id="ordinary"),
        pytest.param((b"cookie", b"a=b"), False, id="a secret"),
        pytest.param((b"x", bytes(2000)), False, id="large"),
    ],
)
def test_heads_that_may_be_remembered(field: tuple[bytes, bytes], expected: bool) -> None:
    assert expected is headers.may_be_kept([(b":method", b"GET"), field])
