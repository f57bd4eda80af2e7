import asyncio

import pytest

from qcore.aio.signal import Signal
from qhttp3.aio.patience import Patience

SHORT = 0.01


def test_a_wait_ends_with_the_signal() -> None:
    async def main() -> None:
        patience, signal = Patience(60.0), Signal()
        waiting = asyncio.create_task(patience.wait(signal))
        await asyncio.sleep(0)

        assert signal.notify()
        await waiting
        patience.close()

    asyncio.run(main())


def test_patience_ends_for_each_wait_in_turn() -> None:
    async def main() -> None:
        patience, silent, heard = Patience(SHORT), Signal(), Signal()
        waits = [asyncio.create_task(patience.wait(signal)) for signal in (heard, silent, silent)]
        await asyncio.sleep(0)
        heard.notify()
        first, *others = await asyncio.gather(*waits, return_exceptions=True)

        assert first is None
        assert [TimeoutError, TimeoutError] == [type(each) for each in others]
        assert not silent.notify()  # nobody is left
        with pytest.raises(TimeoutError):
            await patience.wait(silent)

    asyncio.run(main())


def test_without_a_limit_only_the_signal_ends_a_wait() -> None:
    async def main() -> None:
        patience, signal = Patience(None), Signal()
        waiting = asyncio.create_task(patience.wait(signal))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        assert waiting.cancelled()
        assert not signal.notify()

    asyncio.run(main())
