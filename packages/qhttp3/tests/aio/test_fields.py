import pytest

from qhttp3.aio.fields import Headers, encode_fields

HEADERS = Headers([(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=\xe9")])


def test_headers_are_a_sequence_of_pairs() -> None:
    assert [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=é")] == list(HEADERS)
    assert 3 == len(HEADERS)
    assert ("set-cookie", "a=1") == HEADERS[1]
    assert [("set-cookie", "b=é")] == HEADERS[2:]
    assert {"content-type": "text/plain", "set-cookie": "b=é"} == dict(HEADERS)


def test_headers_are_looked_up_by_name() -> None:
    assert "text/plain" == HEADERS["Content-Type"] == HEADERS.get("CONTENT-TYPE")
    assert ["a=1", "b=é"] == HEADERS.get_all("set-cookie")
    assert HEADERS.get("x") is None
    assert "y" == HEADERS.get("x", "y")
    assert "set-cookie" in HEADERS
    assert "x" not in HEADERS
    assert ("set-cookie", "a=1") in HEADERS
    with pytest.raises(KeyError):
        HEADERS["x"]


def test_headers_compare() -> None:
    assert HEADERS == Headers(HEADERS.raw)
    assert Headers([(b"a", b"b")]) == [("a", "b")]
    assert hash(HEADERS) == hash(Headers(HEADERS.raw))
    assert "Headers([('a', 'b')])" == repr(Headers([(b"a", b"b")]))


@pytest.mark.parametrize(
    "given",
    [
        {"X-A": "b", "C": "d"},
        [("X-A", "b"), ("C", "d")],
        [(b"X-A", b"b"), ("C", b"d")],
        iter([("x-a", "b"), ("c", "d")]),
    ],
)
def test_fields_are_taken_in_many_forms(given: object) -> None:
    assert [(b"x-a", b"b"), (b"c", b"d")] == encode_fields(given)  # type: ignore[arg-type]  # many forms
