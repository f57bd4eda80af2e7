"""Rules for fields: what a request, a response and trailers must and must not contain.

RFC 9114 §4.2, §4.3; RFC 9220; RFC 9110 §5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from qhttp3.errors import H3_MESSAGE_ERROR, StreamViolation

Field = tuple[bytes, bytes]

# RFC 9114 §4.2: they belong to one HTTP/1.1 connection.
CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_REQUEST_PSEUDO: Final = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
_METHODS: Final = frozenset((b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT"))
# What a name is made of, RFC 9110 §5.6.2, without upper case.
_NAME_BYTES: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

# Fields found good are remembered; most of what arrives was seen before.
CACHED_FIELDS: Final = 1024
CACHED_FIELD_SIZE: Final = 256
_good: Final[dict[Field, None]] = {}
# And so are whole heads: the same few requests come again and again.
CACHED_HEADS: Final = 256
CACHED_HEAD_SIZE: Final = 1024
_requests: Final[dict[tuple[tuple[Field, ...], bool], int]] = {}  # -1 for no content length
_responses: Final[dict[tuple[Field, ...], tuple[int, int | None]]] = {}


def check_request(fields: Sequence[Field], allows_extended_connect: bool = False) -> int | None:
    """Check the head of a request; gives its content length if it has one.

    RFC 9114 §4.3.1, §4.4; RFC 9220 §3.

    Raises:
        StreamViolation: the request is malformed.
    """
    key = (tuple(fields), allows_extended_connect)
    found = _requests.get(key)
    if found is not None:
        return found if found >= 0 else None
    content_length = _check_request(fields, allows_extended_connect)
    if may_be_kept(fields):
        if len(_requests) >= CACHED_HEADS:
            _requests.clear()
        _requests[key] = -1 if content_length is None else content_length
    return content_length


def may_be_kept(fields: Sequence[Field]) -> bool:
    """Whether a head that was found good may be remembered: it is small, and holds no secret."""
    size = 0
    for name, value in fields:
        size += len(name) + len(value)
        if name in _SECRET:
            return False
    return size <= CACHED_HEAD_SIZE


def _check_request(fields: Sequence[Field], allows_extended_connect: bool) -> int | None:
    pseudo, count = _split(fields, _REQUEST_PSEUDO)
    content_length = _check_regular(fields[count:])
    method = pseudo.get(b":method")
    if method not in _METHODS and not (method and _is_name(method.lower())):
        raise _malformed("no :method" if method is None else f":method {method!r}")
    scheme = pseudo.get(b":scheme")
    authority = pseudo.get(b":authority")
    path = pseudo.get(b":path")
    is_extended = b":protocol" in pseudo
    if is_extended and (method != b"CONNECT" or not allows_extended_connect):
        raise _malformed(":protocol without extended CONNECT")
    if method == b"CONNECT" and not is_extended:
        if scheme is not None or path is not None or not authority:
            raise _malformed("CONNECT has :authority and neither :scheme nor :path")
        return content_length
    if scheme is None:
        raise _malformed("no :scheme")
    if path is None:
        raise _malformed("no :path")
    if scheme in (b"https", b"http"):
        if not (path.startswith(b"/") or (path == b"*" and method == b"OPTIONS")):
            raise _malformed(f":path {path!r}")
        _check_authority(fields, authority)
    return content_length


def check_response(fields: Sequence[Field]) -> tuple[int, int | None]:
    """Check the head of a response; gives its status, and its content length if it has one.

    RFC 9114 §4.3.2.

    Raises:
        StreamViolation: the response is malformed.
    """
    key = tuple(fields)
    found = _responses.get(key)
    if found is not None:
        return found
    checked = _check_response(fields)
    if may_be_kept(fields):
        if len(_responses) >= CACHED_HEADS:
            _responses.clear()
        _responses[key] = checked
    return checked


def _check_response(fields: Sequence[Field]) -> tuple[int, int | None]:
    if not fields or fields[0][0] != b":status":
        raise _malformed("no :status at the beginning")
    status = fields[0][1]
    content_length = _check_regular(fields[1:])
    # RFC 9114 §4.5: there is no 101 in HTTP/3.
    if len(status) != 3 or not status.isdigit() or not b"100" <= status <= b"999" or status == b"101":
        raise _malformed(f":status {status!r}")
    return int(status), content_length


def parse_status(value: bytes) -> int:
    """Give the status code of a response that was found good: three digits."""
    return (value[0] * 10 + value[1]) * 10 + value[2] - 0x30 * 111


def check_trailers(fields: Sequence[Field]) -> None:
    """Check fields that follow the body: no pseudo-headers (RFC 9114 §4.3).

    Raises:
        StreamViolation: the message is malformed.
    """
    _check_regular(fields)


def clean(fields: Iterable[Field]) -> tuple[list[Field], list[Field]]:
    """Put names into lower case and look at each field alone; gives pseudo-headers and the others.

    Raises:
        StreamViolation: a field that no message may have.
    """
    pseudo: list[Field] = []
    regular: list[Field] = []
    for field in fields:
        if field in _good:
            regular.append(field)
            continue
        name, value = field
        name = name.lower()
        if name[:1] != b":":
            _check_field(name, value)
            regular.append((name, value))
        elif _is_bad(value):
            raise _malformed(f"line break or NUL in {name!r}")
        else:
            pseudo.append((name, value))
    return pseudo, regular


def _split(fields: Sequence[Field], allowed: frozenset[bytes]) -> tuple[dict[bytes, bytes], int]:
    # Pseudo-headers, each once and all before the others; and how many they are.
    pseudo: dict[bytes, bytes] = {}
    count = 0
    for name, value in fields:
        if name[:1] != b":":
            break
        if name not in allowed:
            raise _malformed(f"prohibited pseudo-header {name!r}")
        if name in pseudo:
            raise _malformed(f"{name!r} twice")
        if _is_bad(value):
            raise _malformed(f"line break or NUL in {name!r}")
        pseudo[name] = value
        count += 1
    return pseudo, count


def _check_regular(fields: Sequence[Field]) -> int | None:
    content_length: int | None = None
    good = _good
    for field in fields:
        if field in good:
            continue
        name, value = field
        if name[:1] == b":":
            raise _malformed(f"pseudo-header {name!r} after other fields")
        _check_field(name, value)
        if name == b"content-length":
            # RFC 9110 §8.6: digits only; the same value again does no harm.
            if not value.isdigit() or len(value) > 18:
                raise _malformed(f"content-length {value!r}")
            if content_length is not None and content_length != int(value):
                raise _malformed(f"content-length both {content_length} and {int(value)}")
            content_length = int(value)
    return content_length


def _is_name(name: bytes) -> bool:
    return bool(name) and not name.translate(None, _NAME_BYTES)


def _is_bad(value: bytes) -> bool:
    return b"\n" in value or b"\r" in value or b"\0" in value  # RFC 9110 §5.5


def _check_field(name: bytes, value: bytes) -> None:
    if not _is_name(name):
        raise _malformed(f"field name {name!r}")
    if _is_bad(value):
        raise _malformed(f"line break or NUL in {name!r}")
    if name in CONNECTION_SPECIFIC:
        raise _malformed(f"connection-specific field {name!r}")
    if name == b"te" and value.strip().lower() != b"trailers":
        raise _malformed(f"te is {value!r}")
    if name not in _LOOKED_AT and len(name) + len(value) <= CACHED_FIELD_SIZE:
        if len(_good) >= CACHED_FIELDS:
            _good.clear()
        _good[(name, value)] = None


def _check_authority(fields: Sequence[Field], authority: bytes | None) -> None:
    # RFC 9114 §4.3.1: http and https need :authority or Host, not empty, and equal if both are there.
    host: bytes | None = None
    for field in fields:
        if field[0] == b"host":
            host = field[1]
    if authority is None and host is None:
        raise _malformed("neither :authority nor host")
    if authority == b"" or host == b"":
        raise _malformed("empty authority")
    if authority is not None and host is not None and authority != host:
        raise _malformed(f":authority {authority!r} but host {host!r}")


def _malformed(reason: str) -> StreamViolation:
    return StreamViolation(H3_MESSAGE_ERROR, reason)


# Fields whose value decides something; they are looked at every time.
_SECRET: Final = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))
_LOOKED_AT: Final = _SECRET | {b"content-length"}
