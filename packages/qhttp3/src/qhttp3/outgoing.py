"""Fields as we send them: what callers give, made fit for the peer or refused.

The same rules apply as to what is received. Pseudo-header order is the sender's choice and comes as data.
RFC 9114 §4.2, §4.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from qhttp3 import headers
from qhttp3.errors import MalformedMessage, StreamViolation
from qhttp3.settings import H3Settings

Field = tuple[bytes, bytes]

# Requests found good, with what they depend on, and what was made of them.
_Key = tuple[tuple[Field, ...], tuple[bytes, ...], int | None, bool]
_prepared: Final[dict[_Key, tuple[Field, ...]]] = {}
# And heads of responses, with the peer's limit; whether each is final comes with it.
_responses: Final[dict[tuple[tuple[Field, ...], int | None], tuple[tuple[Field, ...], bool]]] = {}


def prepare_request(
    fields: Iterable[Field], order: tuple[bytes, ...], peer: H3Settings | None
) -> tuple[Field, ...]:
    """Make the head of a request of fields in any order.

    Args:
        order: Of the pseudo-headers.
        peer: What the server said or is remembered to accept, None for what it may have to.

    Returns:
        The fields; the same request gets the same tuple, which is found quickly wherever it was seen before.

    Raises:
        MalformedMessage: the server would have to refuse it.
    """
    given = tuple(fields)
    limit = None if peer is None else peer.max_field_section_size
    allows_connect = peer is not None and peer.enable_connect_protocol
    key = (given, order, limit, allows_connect)
    found = _prepared.get(key)
    if found is not None:
        return found
    prepared = tuple(_prepare_request(given, order, allows_connect))
    _check_size(prepared, peer)
    if headers.may_be_kept(prepared):
        if len(_prepared) >= headers.CACHED_HEADS:
            _prepared.clear()
        _prepared[key] = prepared
    return prepared


def _prepare_request(fields: Iterable[Field], order: Sequence[bytes], allows_connect: bool) -> list[Field]:
    try:
        pseudo, regular = headers.clean(fields)
        if len(pseudo) > 1:
            rank = {name: position for position, name in enumerate(order)}
            pseudo.sort(key=lambda field: rank.get(field[0], len(rank)))
        prepared = pseudo + regular
        headers.check_request(prepared, allows_connect)
    except StreamViolation as violation:
        raise MalformedMessage(violation.reason) from violation
    return prepared


def prepare_response(fields: Iterable[Field], peer: H3Settings | None) -> tuple[tuple[Field, ...], bool]:
    """Make the head of a response; gives also whether it is the final one.

    The same response gets the same tuple.

    Raises:
        MalformedMessage: the client would have to refuse it.
    """
    given = tuple(fields)
    key = (given, None if peer is None else peer.max_field_section_size)
    found = _responses.get(key)
    if found is not None:
        return found
    response = _prepare_response(given)
    _check_size(response[0], peer)
    if headers.may_be_kept(response[0]):
        if len(_responses) >= headers.CACHED_HEADS:
            _responses.clear()
        _responses[key] = response
    return response


def _prepare_response(fields: Iterable[Field]) -> tuple[tuple[Field, ...], bool]:
    try:
        pseudo, regular = headers.clean(fields)
        prepared = pseudo + regular
        status, _ = headers.check_response(prepared)
    except StreamViolation as violation:
        raise MalformedMessage(violation.reason) from violation
    return tuple(prepared), status >= 200


def prepare_trailers(fields: Iterable[Field], peer: H3Settings | None) -> list[Field]:
    """Make trailers.

    Raises:
        MalformedMessage: the peer would have to refuse them.
    """
    try:
        pseudo, regular = headers.clean(fields)
        prepared = pseudo + regular
        headers.check_trailers(prepared)
    except StreamViolation as violation:
        raise MalformedMessage(violation.reason) from violation
    _check_size(prepared, peer)
    return prepared


def asks_for_head(fields: Sequence[Field]) -> bool:
    """Whether a request that was found good is a HEAD, whose response has no content."""
    for name, value in fields:
        if name == b":method":
            return value == b"HEAD"
    return False


def section_size(fields: Sequence[Field]) -> int:
    """Size of a field section as SETTINGS_MAX_FIELD_SECTION_SIZE counts it (RFC 9114 §4.2.2)."""
    return 32 * len(fields) + sum([len(name) + len(value) for name, value in fields])


def _check_size(fields: Sequence[Field], peer: H3Settings | None) -> None:
    limit = None if peer is None else peer.max_field_section_size
    if limit is not None and section_size(fields) > limit:
        raise MalformedMessage(f"fields exceed the {limit} bytes the peer accepts")
