"""Resumption and 0-RTT over whole handshakes. RFC 8446 §2.2, §2.3 and §8; RFC 9001 §4.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qtls import Level, MemorySessionStore
from qtls.constants import (
    AES_128_GCM_SHA256,
    AES_256_GCM_SHA384,
    CERTIFICATE,
    CHACHA20_POLY1305_SHA256,
    QUIC_VERSION_2,
    SECP384R1,
)
from qtls.events import EarlyData, KeysInstalled
from qtls.tickets import ReplayWindow

MakeDuo = Callable[..., Any]
Resume = Callable[..., Any]
SUITES = (AES_128_GCM_SHA256, AES_256_GCM_SHA384, CHACHA20_POLY1305_SHA256)


@pytest.mark.parametrize("suite", SUITES, ids=hex)
def test_resumption(make_duo: MakeDuo, resume: Resume, suite: int) -> None:  # RFC 8446 §2.2
    first = make_duo({"ciphers": (suite,)}, {"ticket_keys": (b"k" * 32,)}).run()
    duo = resume(first, client={"ciphers": (suite,)}).run()

    assert (False, False) == (first.client_info.resumed, first.server_info.resumed)
    assert (True, True) == (duo.client_info.resumed, duo.server_info.resumed)
    assert first.client_info.peer_certificates == duo.client_info.peer_certificates
    assert CERTIFICATE not in [message[0] for _, _, message in duo.messages]
    duo.assert_keys_fit(Level.APPLICATION)
    assert resume(duo, client={"ciphers": (suite,)}).run().client_info.resumed


def test_resumption_with_early_data(make_duo: MakeDuo, resume: Resume) -> None:
    server = {"ticket_keys": (b"k" * 32,), "early_data": True}
    first = make_duo({}, server).run()
    duo = resume(first, server=server, client_args={"early_data": True}).run()

    assert (True, True) == (duo.client_info.early_accepted, duo.server_info.early_accepted)
    assert EarlyData(True) in duo.client_events and EarlyData(True) in duo.server_events
    sealer, opener = duo.keys("client", Level.EARLY)[0], duo.keys("server", Level.EARLY)[1]
    assert b"early" == opener.open(0, b"h", sealer.seal(0, b"h", b"early"))
    assert isinstance(duo.client_events[1], KeysInstalled) and Level.EARLY is duo.client_events[1].level


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"server": {"early_data": False}}, id="turned off"),
        pytest.param({"session": {"age_add": 5}}, id="age is off"),
        pytest.param({"server_args": {"early_parameters": lambda old, new: False}}, id="limits shrank"),
        pytest.param({"server": {"replays": None}}, id="no replay guard"),
        pytest.param({"server": {"alpn": ("h4", "h3")}, "client": {"alpn": ("h3", "h4")}}, id="protocol of now"),
        pytest.param({"client": {"alpn": ("h4",)}, "server": {"alpn": ("h4",)}}, id="protocol is gone"),
    ],
)  # fmt: skip
def test_early_data_is_refused(
    make_duo: MakeDuo, resume: Resume, changes: dict[str, Any]
) -> None:  # RFC 8446 §4.2.10, §8
    server = {"ticket_keys": (b"k" * 32,), "early_data": True}
    first = make_duo({}, server).run()
    more = {"server": {**server, **changes.get("server", {})}, "client_args": {"early_data": True}}
    duo = resume(first, **{**changes, **more}).run()

    assert duo.client_info.resumed and duo.server_info.resumed
    assert not duo.client_info.early_accepted and not duo.server_info.early_accepted
    if changes.get("client") != {"alpn": ("h4",)}:  # otherwise the client does not even ask
        assert EarlyData(False) in duo.client_events and EarlyData(False) in duo.server_events


def test_early_data_is_taken_once(make_duo: MakeDuo, resume: Resume) -> None:  # RFC 8446 §8
    server = {"ticket_keys": (b"k" * 32,), "early_data": True, "replays": ReplayWindow()}
    first = make_duo({}, server).run()
    accepted = [
        resume(first, server=server, client_args={"early_data": True}).run().server_info.early_accepted
        for _ in range(3)
    ]

    assert [True, False, False] == accepted


def test_retry_ends_early_data_and_keeps_the_session(
    make_duo: MakeDuo, resume: Resume
) -> None:  # RFC 8446 §4.2.10
    server = {"ticket_keys": (b"k" * 32,), "early_data": True}
    first = make_duo({}, server).run()
    duo = resume(first, server={**server, "groups": (SECP384R1,)}, client_args={"early_data": True}).run()

    assert [EarlyData(False)] == [event for event in duo.client_events if isinstance(event, EarlyData)]
    assert duo.client_info.resumed and not duo.client_info.early_accepted
    duo.assert_keys_fit(Level.APPLICATION)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"server": {"ticket_keys": (b"z" * 32,)}}, id="other ticket key"),
        pytest.param({"server": {"ticket_keys": ()}}, id="no ticket keys"),
        pytest.param({"later": 90_000.0}, id="expired"),
        pytest.param({"session": {"ticket": b"t" * 100}}, id="ticket of somebody else"),
        pytest.param({"client_args": {"quic_version": QUIC_VERSION_2}, "server_args": {"quic_version": QUIC_VERSION_2}}, id="other QUIC version"),
        pytest.param({"client_args": {"server_name": "localhost"}}, id="other name"),
        pytest.param({"server": {"ciphers": (AES_256_GCM_SHA384,)}}, id="other hash"),
    ],
)  # fmt: skip
def test_sessions_that_do_not_fit_give_a_full_handshake(
    make_duo: MakeDuo, resume: Resume, changes: dict[str, Any]
) -> None:
    first = make_duo({}, {"ticket_keys": (b"k" * 32,)}).run()
    duo = resume(first, **changes).run()

    assert (False, False) == (duo.client_info.resumed, duo.server_info.resumed)
    assert 1 == len(duo.client_info.peer_certificates)


def test_old_ticket_keys_still_open(make_duo: MakeDuo, resume: Resume) -> None:
    first = make_duo({}, {"ticket_keys": (b"k" * 32,)}).run()
    duo = resume(first, server={"ticket_keys": (b"n" * 32, b"k" * 32)}).run()

    assert duo.client_info.resumed


def test_store_hands_sessions_on(make_duo: MakeDuo) -> None:
    store = MemorySessionStore()
    server = {"ticket_keys": (b"k" * 32,), "tickets": 2}
    resumed = [make_duo({"sessions": store}, server).run().client_info.resumed for _ in range(4)]

    assert [False, True, True, True] == resumed
    assert store.pop("other.example") is None
