"""Address validation tokens. RFC 9000 §8.1."""

from random import Random
from typing import Final

import pytest

from qcore.batch import Address
from qcore.tokens import (
    LIFETIME,
    MAX_ORIGINS,
    RETRY_LIFETIME,
    TOKENS_PER_ORIGIN,
    AddressTokens,
    MemoryTokenStore,
    TokenStore,
    TokenVerdict,
)

KEY: Final = bytes(range(32))
CLIENT: Final = ("192.0.2.1", 50_000)
CLIENT_6: Final = ("2001:db8::1", 50_000, 0, 0)
NOW: Final = 1_800_000_000.25


def new_tokens(*keys: bytes) -> AddressTokens:
    return AddressTokens(keys or (KEY,), Random(1).randbytes)


@pytest.mark.parametrize("address", [CLIENT, CLIENT_6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("original", "source"), [(b"original", b"source"), (bytes(20), b""), (b"12345678", bytes(20))]
)
def test_a_retry_token_brings_back_the_connection_ids(
    address: Address, original: bytes, source: bytes
) -> None:
    tokens = new_tokens()

    check = tokens.check(tokens.seal_retry(address, original, source, NOW), address, NOW + 1)

    assert TokenVerdict.RETRY is check.verdict
    assert check.validates
    assert (original, source) == (check.original_cid, check.retry_source_cid)


def test_a_new_token_is_good_for_another_port_once() -> None:  # RFC 9000 §8.1.3, §8.1.4
    tokens = new_tokens()
    token = tokens.seal_new(CLIENT, NOW)

    assert TokenVerdict.NEW is tokens.check(token, ("192.0.2.1", 60_000), NOW + 1000).verdict
    again = tokens.check(token, CLIENT, NOW + 1001)
    assert TokenVerdict.ABSENT is again.verdict
    assert not again.validates


@pytest.mark.parametrize(
    ("kind", "address", "age", "expected"),
    [
        pytest.param("retry", ("192.0.2.1", 50_001), 1.0, TokenVerdict.INVALID_RETRY, id="other port"),
        pytest.param("retry", ("192.0.2.2", 50_000), 1.0, TokenVerdict.INVALID_RETRY, id="other host"),
        pytest.param("retry", CLIENT, RETRY_LIFETIME + 0.1, TokenVerdict.INVALID_RETRY, id="too late"),
        pytest.param("retry", CLIENT, RETRY_LIFETIME - 0.1, TokenVerdict.RETRY, id="just in time"),
        pytest.param("retry", CLIENT, -60.0, TokenVerdict.INVALID_RETRY, id="from the future"),
        pytest.param("new", ("192.0.2.2", 50_000), 1.0, TokenVerdict.ABSENT, id="new, other host"),
        pytest.param("new", CLIENT, LIFETIME + 0.1, TokenVerdict.ABSENT, id="new, too late"),
        pytest.param("new", CLIENT, LIFETIME - 0.1, TokenVerdict.NEW, id="new, just in time"),
    ],
)
def test_bound_to_address_and_time(
    kind: str, address: Address, age: float, expected: TokenVerdict
) -> None:  # A9
    tokens = new_tokens()
    sealed = tokens.seal_retry(CLIENT, b"a", b"b", NOW) if kind == "retry" else tokens.seal_new(CLIENT, NOW)

    assert expected is tokens.check(sealed, address, NOW + age).verdict


@pytest.mark.parametrize("kind", ["retry", "new"])
def test_every_change_and_every_prefix_is_refused(kind: str) -> None:
    tokens = new_tokens()
    sealed = tokens.seal_retry(CLIENT, b"a", b"b", NOW) if kind == "retry" else tokens.seal_new(CLIENT, NOW)

    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        assert not tokens.check(bytes(changed), CLIENT, NOW).validates
        assert not tokens.check(sealed[:position], CLIENT, NOW).validates
    assert tokens.check(sealed, CLIENT, NOW).validates


def test_one_kind_does_not_pass_for_the_other() -> None:
    tokens = new_tokens()
    retry = tokens.seal_retry(CLIENT, b"a", b"b", NOW)
    new = tokens.seal_new(CLIENT, NOW)

    assert not tokens.check(new[:1] + retry[1:], CLIENT, NOW).validates
    assert not tokens.check(retry[:1] + new[1:], CLIENT, NOW).validates


def test_any_bytes_can_be_checked() -> None:
    tokens = new_tokens()
    random = Random(7)

    assert TokenVerdict.ABSENT is tokens.check(b"", CLIENT, NOW).verdict
    for _ in range(500):
        assert not tokens.check(random.randbytes(random.randrange(100)), CLIENT, NOW).validates


def test_keys_can_be_rotated() -> None:
    old = new_tokens(KEY)
    both = new_tokens(bytes(32), KEY)
    token = old.seal_retry(CLIENT, b"a", b"b", NOW)

    assert both.check(token, CLIENT, NOW).validates
    assert not new_tokens(bytes(32)).check(token, CLIENT, NOW).validates
    assert new_tokens(bytes(32)).check(both.seal_retry(CLIENT, b"a", b"b", NOW), CLIENT, NOW).validates


def test_a_token_shows_nothing_of_its_contents() -> None:
    token = new_tokens().seal_retry(CLIENT, b"original", b"source..", NOW)

    assert b"original" not in token
    assert b"source.." not in token


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, bytes(15))])
def test_refuses_weak_keys(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="token key"):
        AddressTokens(keys, Random(1).randbytes)


def test_a_store_gives_each_token_once_and_the_newest_first() -> None:
    store: TokenStore = MemoryTokenStore()
    store.put("a", b"1")
    store.put("a", b"2")

    assert [b"2", b"1", None] == [store.pop("a") for _ in range(3)]
    assert store.pop("b") is None


def test_a_store_is_bounded() -> None:  # attack M18
    store = MemoryTokenStore()
    for number in range(1000):
        store.put("a", number.to_bytes(2, "big"))
    assert TOKENS_PER_ORIGIN == len(store)

    for number in range(1000):
        store.put(f"origin {number}", b"token")
    assert MAX_ORIGINS == len(store)
    assert store.pop("a") is None
    assert b"token" == store.pop("origin 999")
