import inspect
from typing import Any

import pytest

from qhttp3.events import HeadersReceived
from qhttp3.guard import Guard
from qhttp3.observer import Observer
from qhttp3.testing import Pair

METHODS = [name for name, _ in inspect.getmembers(Observer, inspect.isfunction)]


class Recorder(Observer):
    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattribute__(self, name: str) -> Any:
        if name in METHODS:
            return lambda *arguments: self.calls.append((name, arguments))
        return super().__getattribute__(name)


class Failing(Observer):
    count = 0

    def frame_parsed(self, *arguments: Any, **named: Any) -> None:
        self.count += 1
        raise LookupError("broken")


@pytest.mark.parametrize("name", METHODS)
def test_every_call_is_passed_on(name: str) -> None:
    recorder = Recorder()
    size = len(inspect.signature(getattr(Observer, name)).parameters) - 1
    getattr(Guard(recorder), name)(*range(size))

    assert [(name, tuple(range(size)))] == recorder.calls


def test_an_observer_that_fails_is_detached_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    observer = Failing()
    pair = Pair(server_observer=observer)
    for _ in range(3):
        pair.client.send_request(
            [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")], True
        )
    pair.run()

    assert 1 == observer.count
    assert ["an observer failed and is detached"] == [record.message for record in caplog.records]
    assert 3 == len([event for event in pair.server_events if isinstance(event, HeadersReceived)])
