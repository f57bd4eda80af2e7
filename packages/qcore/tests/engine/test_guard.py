"""An observer that fails is detached, and the connection goes on."""

import logging

import pytest

from qcore.config import QuicConfig
from qcore.engine.guard import Guard
from qcore.observer import Observer
from qcore.testing import Pair, Trace
from qcore.testing.pair import SERVER_ADDRESS, SERVER_NAME, WALL, throwaway_certificate
from qtls.config import ClientTLS

from .observing import EVENTS

METHODS = sorted(EVENTS)


class Failing(Observer):
    """Raises in one method, and counts the calls of all."""

    def __init__(self, bad: str) -> None:
        self.calls: list[str] = []
        self.bad = bad

    def __getattribute__(self, name: str) -> object:
        if name not in METHODS:
            return object.__getattribute__(self, name)

        def method(*arguments: object) -> None:
            self.calls.append(name)
            if name == self.bad:
                raise RuntimeError(f"{name} fails")

        return method


def arguments_of(name: str) -> list[object]:
    return [object() for _ in EVENTS[name]]


def test_observer_has_no_other_events() -> None:
    assert {name for name in vars(Observer) if not name.startswith("_")} == set(EVENTS)


@pytest.mark.parametrize("name", METHODS)
def test_every_event_is_passed_on(name: str) -> None:
    seen: list[tuple[object, ...]] = []

    class Listening(Observer):
        def __getattribute__(self, attribute: str) -> object:
            if attribute != name:
                return object.__getattribute__(self, attribute)
            return lambda *arguments: seen.append(arguments)

    arguments = arguments_of(name)
    getattr(Guard(Listening()), name)(*arguments)

    assert [tuple(arguments)] == seen


@pytest.mark.parametrize("name", METHODS)
def test_event_that_fails_is_the_last_one(name: str, caplog: pytest.LogCaptureFixture) -> None:
    observer = Failing(name)
    guard = Guard(observer)
    with caplog.at_level(logging.ERROR, "qcore"):
        getattr(guard, name)(*arguments_of(name))
    for other in METHODS:
        getattr(guard, other)(*arguments_of(other))

    assert [name] == observer.calls
    assert [f"{name} fails"] == [str(record.exc_info[1]) for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("name", ["packet_sent", "packet_received", "parameters_set", "keys_installed"])
def test_connection_outlives_its_observer(name: str, caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair()
    observer = Failing(name)
    pair.client = pair.client_router.connect(
        SERVER_ADDRESS,
        tls=ClientTLS(alpn=("test",), ca=throwaway_certificate().ca_pem),
        config=QuicConfig(),
        server_name=SERVER_NAME,
        now=pair.now,
        wall_clock=WALL,
        observer=observer,
    )
    pair.run_until(lambda: pair.client.is_confirmed)

    assert name == observer.calls[-1]
    assert 1 == observer.calls.count(name)
    assert 1 == len(caplog.records)


def test_observer_without_faults_hears_everything() -> None:
    pair = Pair()
    pair.run_until(lambda: pair.client.is_confirmed)

    assert isinstance(pair.client_trace, Trace)
    assert {"packet_sent", "packet_received", "keys_installed", "connection_state"} <= set(
        pair.client_trace.names
    )
