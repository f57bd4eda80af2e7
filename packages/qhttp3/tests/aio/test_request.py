import pytest

from qhttp3.aio.request import Target, request_fields
from qhttp3.priority import Priority


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "path"),
    [
        pytest.param("https://a.example", "a.example", 443, b"a.example", b"/", id="nothing but a host"),
        pytest.param("https://A.Example:8443/x", "a.example", 8443, b"a.example:8443", b"/x", id="port"),
        pytest.param("https://[::1]:1/", "::1", 1, b"[::1]:1", b"/", id="IPv6"),
        pytest.param("https://a/b?c=d&e#f", "a", 443, b"a", b"/b?c=d&e", id="query and fragment"),
        pytest.param("https://a/b c/%20/ü", "a", 443, b"a", b"/b%20c/%20/%C3%BC", id="escapes"),
        pytest.param("https://a?x y", "a", 443, b"a", b"/?x%20y", id="query without path"),
        pytest.param(
            "https://bücher.example/", "xn--bcher-kva.example", 443, b"xn--bcher-kva.example", b"/", id="IDN"
        ),
        pytest.param("https://user:pw@a/", "a", 443, b"a", b"/", id="user information is left out"),
    ],
)
def test_urls(url: str, host: str, port: int, authority: bytes, path: bytes) -> None:
    assert Target(host, port, authority, path) == Target.parse(url)


@pytest.mark.parametrize("url", ["http://a/", "a", "//a/", "https:///x", ""])
def test_other_urls(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Target.parse(url)


def test_the_head_of_a_request() -> None:
    target = Target.parse("https://a:1/x")
    fields = request_fields("post", target, {"X-Y": "z"}, "täxt", Priority(0, True))

    assert [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"a:1"),
        (b":path", b"/x"),
        (b"x-y", b"z"),
        (b"content-length", b"5"),
        (b"priority", b"u=0, i"),
    ] == fields


def test_what_the_caller_gives_has_precedence() -> None:
    target = Target.parse("https://a/")
    given = {"host": "b", "content-length": "7", "priority": "u=1"}
    fields = dict(request_fields("GET", target, given, b"x", "u=5"))

    assert (b"b", b"7", b"u=1") == (fields[b":authority"], fields[b"content-length"], fields[b"priority"])
    assert b"host" not in fields


def test_default_priority_is_not_said() -> None:
    assert 4 == len(request_fields("GET", Target.parse("https://a/"), (), None, Priority()))
