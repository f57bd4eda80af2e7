import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qcore.aio.race import race
from qcore.errors import ConnectionRefused, HandshakeTimeout, TransportError

Attempt = Callable[[], Coroutine[Any, Any, str]]


class Attempts:
    """Makes attempts and keeps what became of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.released: list[str] = []

    def success(self, name: str) -> Attempt:
        async def attempt() -> str:
            self.log.append(f"{name} started")
            return name

        return attempt

    def failure(self, name: str, error: Exception) -> Attempt:
        async def attempt() -> str:
            self.log.append(f"{name} started")
            raise error

        return attempt

    def hanging(self, name: str) -> Attempt:
        async def attempt() -> str:
            self.log.append(f"{name} started")
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.log.append(f"{name} cancelled")
                raise
            return name

        return attempt

    def stubborn(self, name: str) -> Attempt:
        """Succeeds although it is cancelled, as a result that arrives at the same moment does."""

        async def attempt() -> str:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                return name
            return name

        return attempt

    def run(self, *attempts: Attempt, delay: float = 3600) -> str:
        return asyncio.run(race(attempts, release=self.released.append, delay=delay))


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


def test_the_first_success_ends_it(attempts: Attempts) -> None:
    assert "a" == attempts.run(attempts.success("a"), attempts.success("b"))
    assert ["a started"] == attempts.log


def test_a_failure_starts_the_next_at_once(attempts: Attempts) -> None:
    refused = attempts.failure("a", ConnectionRefused("a"))

    assert "b" == attempts.run(refused, attempts.success("b"))


def test_a_slow_one_is_overtaken_and_cancelled(attempts: Attempts) -> None:
    assert "b" == attempts.run(attempts.hanging("a"), attempts.success("b"), delay=0.001)
    assert ["a started", "b started", "a cancelled"] == attempts.log


def test_a_late_result_is_released(attempts: Attempts) -> None:
    assert "b" == attempts.run(attempts.stubborn("a"), attempts.success("b"), delay=0.001)
    assert ["a"] == attempts.released


def test_what_a_server_answered_is_the_error(attempts: Attempts) -> None:
    with pytest.raises(TransportError) as caught:
        attempts.run(
            attempts.failure("a", ConnectionRefused("port closed")),
            attempts.failure("b", TransportError(0x178, None, "no application protocol")),
            attempts.failure("c", HandshakeTimeout("silence")),
        )

    assert ["another address: port closed", "another address: silence"] == caught.value.__notes__


def test_without_an_answer_the_first_error_counts(attempts: Attempts) -> None:
    with pytest.raises(ConnectionRefused, match="first"):
        attempts.run(
            attempts.failure("a", ConnectionRefused("first")),
            attempts.failure("b", ConnectionRefused("second")),
        )


def test_a_bug_is_not_an_answer(attempts: Attempts) -> None:
    with pytest.raises(ZeroDivisionError):
        attempts.run(attempts.failure("a", ZeroDivisionError()), attempts.success("b"))


def test_cancelling_cancels_all(attempts: Attempts) -> None:
    async def main() -> None:
        running = asyncio.create_task(
            race([attempts.hanging("a"), attempts.stubborn("b")], release=attempts.released.append, delay=0)
        )
        for _ in range(20):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())

    assert ["a started", "a cancelled"] == attempts.log
    assert ["b"] == attempts.released


def test_later_attempts_join(attempts: Attempts) -> None:
    async def main() -> str:
        async def later() -> list[Attempt]:
            return [attempts.success("b")]

        return await race(
            [attempts.hanging("a")], release=attempts.released.append, delay=3600, later=later()
        )

    assert "b" == asyncio.run(main())
    assert ["a started", "b started", "a cancelled"] == attempts.log


def test_later_attempts_are_waited_for_when_all_others_failed(attempts: Attempts) -> None:
    async def main() -> str:
        may_come = asyncio.Event()

        async def failing() -> str:
            may_come.set()
            raise ConnectionRefused("a")

        async def later() -> list[Attempt]:
            await may_come.wait()
            return [attempts.success("b")]

        return await race([failing], release=attempts.released.append, later=later())

    assert "b" == asyncio.run(main())


def test_later_attempts_that_never_come_change_nothing(attempts: Attempts) -> None:
    async def main() -> None:
        async def later() -> list[Attempt]:
            raise OSError("no further addresses")

        with pytest.raises(ConnectionRefused, match="first"):
            await race(
                [attempts.failure("a", ConnectionRefused("first"))],
                release=attempts.released.append,
                later=later(),
            )

    asyncio.run(main())


def test_nobody_waits_for_later_attempts_after_a_success(attempts: Attempts) -> None:
    async def main() -> str:
        async def later() -> list[Attempt]:
            await asyncio.get_running_loop().create_future()
            return []

        return await race([attempts.success("a")], release=attempts.released.append, later=later())

    assert "a" == asyncio.run(main())
