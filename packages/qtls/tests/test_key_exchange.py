"""Key exchange: agreement, refusals, reproducibility, Wycheproof X25519."""

from __future__ import annotations

import random as seeded
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from qtls.constants import ILLEGAL_PARAMETER, SECP256R1, SECP384R1, SECP521R1, X25519, X25519MLKEM768
from qtls.errors import LocalAlert
from qtls.key_exchange import IMPLEMENTED, KeyShares, respond

GROUPS = pytest.mark.parametrize("group", IMPLEMENTED, ids=hex)
SIZES = {SECP256R1: 65, SECP384R1: 97, SECP521R1: 133, X25519: 32, X25519MLKEM768: 1216}


def source(seed: int) -> Callable[[int], bytes]:
    return seeded.Random(seed).randbytes


@GROUPS
def test_both_sides_agree(group: int) -> None:
    shares = KeyShares(source(1))
    public = shares.public(group)
    answer, secret = respond(group, public, source(2))

    assert SIZES[group] == len(public)
    assert secret == shares.secret(group, answer)
    assert public is shares.public(group)


@GROUPS
def test_shares_follow_the_seed(group: int) -> None:
    assert KeyShares(source(7)).public(group) == KeyShares(source(7)).public(group)
    assert KeyShares(source(7)).public(group) != KeyShares(source(8)).public(group)


def test_all_generated_shares_stay_usable() -> None:
    shares = KeyShares(source(1))
    public = {group: shares.public(group) for group in IMPLEMENTED}

    for group in reversed(IMPLEMENTED):
        answer, secret = respond(group, public[group], source(3))
        assert secret == shares.secret(group, answer)


@pytest.mark.parametrize(
    "order", [(X25519, X25519MLKEM768), (X25519MLKEM768, X25519)], ids=["x25519 first", "last"]
)
def test_hybrid_may_share_the_x25519_key(order: tuple[int, int]) -> None:
    shared = KeyShares(source(1))
    apart = KeyShares(source(1))
    for group in order:
        shared.public(group, share_x25519=True)
        apart.public(group)

    assert shared.public(X25519MLKEM768)[-32:] == shared.public(X25519)
    assert apart.public(X25519MLKEM768)[-32:] != apart.public(X25519)
    for group in order:
        answer, secret = respond(group, shared.public(group), source(5))
        assert secret == shared.secret(group, answer)


def test_hybrid_puts_ml_kem_first() -> None:  # draft-ietf-tls-ecdhe-mlkem §4
    shares = KeyShares(source(1))
    public = shares.public(X25519MLKEM768)
    answer, secret = respond(X25519MLKEM768, public, source(2))
    kem = MLKEM768PrivateKey.from_seed_bytes(source(1)(64))

    assert kem.public_key().public_bytes_raw() == public[:1184]
    assert kem.decapsulate(answer[:1088]) == secret[:32]
    assert (1088 + 32, 64) == (len(answer), len(secret))


@GROUPS
@pytest.mark.parametrize(
    "change", [lambda share: share[:-1], lambda share: share + b"\0", lambda share: b"\0"]
)
def test_refuses_a_share_of_the_wrong_size(group: int, change: Callable[[bytes], bytes]) -> None:
    shares = KeyShares(source(1))
    answer, _ = respond(group, shares.public(group), source(2))

    with pytest.raises(LocalAlert, match="share of") as server_side:
        respond(group, change(shares.public(group)), source(2))
    with pytest.raises(LocalAlert, match="share of") as client_side:
        shares.secret(group, change(answer))
    assert [ILLEGAL_PARAMETER] * 2 == [server_side.value.description, client_side.value.description]


@pytest.mark.parametrize("group", [SECP256R1, SECP384R1, SECP521R1], ids=hex)
def test_refuses_a_point_off_the_curve(group: int) -> None:  # RFC 8446 §4.2.8.2
    shares = KeyShares(source(1))
    size = len(shares.public(group))

    for point in (
        b"\x04" + b"\x01" * (size - 1),
        b"\x04" + b"\xff" * (size - 1),
        b"\x02" + shares.public(group)[1:],
    ):
        with pytest.raises(LocalAlert) as refused:
            respond(group, point, source(2))
        assert ILLEGAL_PARAMETER == refused.value.description


def test_refuses_an_invalid_encapsulation_key() -> None:  # FIPS 203 §7.2: coefficients below q
    with pytest.raises(LocalAlert, match="encapsulation key") as refused:
        respond(X25519MLKEM768, b"\xff" * 1216, source(1))
    assert ILLEGAL_PARAMETER == refused.value.description


def test_refuses_a_share_for_a_group_without_one() -> None:
    with pytest.raises(LocalAlert, match="no key share was made for group x25519"):
        KeyShares(source(1)).secret(X25519, bytes(32))


def test_refuses_groups_that_are_not_implemented() -> None:
    with pytest.raises(ValueError, match="0x001e is not implemented"):
        KeyShares(source(1)).public(0x1E)
    with pytest.raises(ValueError, match="0x001e is not implemented"):
        respond(0x1E, bytes(56), source(1))


def test_wycheproof_x25519(vectors: Callable[[str], Any]) -> None:
    count = 0
    for group in vectors("wycheproof-x25519")["groups"]:
        for case in group["tests"]:
            private, public = bytes.fromhex(case["private"]), bytes.fromhex(case["public"])
            shares = KeyShares(lambda size, private=private: private)  # type: ignore[misc]
            shares.public(X25519)
            count += 1
            if case["result"] == "invalid" or not any(bytes.fromhex(case["shared"])):
                # RFC 8446 §7.4.2: a share of low order gives zeros, which TLS refuses.
                with pytest.raises(LocalAlert):
                    shares.secret(X25519, public)
            else:
                assert case["shared"] == shares.secret(X25519, public).hex(), case["tcId"]
    assert count > 400


def test_private_keys_are_not_shown() -> None:
    shares = KeyShares(source(1))
    shares.public(X25519)

    assert "KeyShares(x25519)" == repr(shares)
