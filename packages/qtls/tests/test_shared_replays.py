"""A memory of 0-RTT that several processes share."""

import os
import signal

from qtls.adapters.shared_replays import SharedReplayWindow

NOW = 1_800_000_000.0


def in_another_process(window: SharedReplayWindow, binder: bytes) -> bool:
    """What a forked process is told."""
    pid = os.fork()
    if pid == 0:
        os._exit(10 + window.is_new(binder, NOW))
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (10, 11)
    return code == 11


def test_binder_is_new_once_among_all_processes() -> None:
    window = SharedReplayWindow()

    assert in_another_process(window, b"one")
    assert not in_another_process(window, b"one")
    assert not window.is_new(b"one", NOW)
    assert window.is_new(b"another", NOW)
    assert not in_another_process(window, b"another")


def test_binder_is_forgotten_after_its_time() -> None:
    window = SharedReplayWindow(seconds=10)
    window.is_new(b"binder", NOW)

    assert not window.is_new(b"binder", NOW + 10)
    assert window.is_new(b"binder", NOW + 11)


def test_full_table_refuses() -> None:
    window = SharedReplayWindow(capacity=16)
    taken = sum(window.is_new(bytes((number,)), NOW) for number in range(100))

    assert 16 == taken
    assert window.is_new(b"later", NOW + 60)


def test_oldest_makes_room_if_it_may() -> None:
    window = SharedReplayWindow(seconds=1_000, capacity=16, forgets=True)
    for number in range(17):
        assert window.is_new(bytes((number,)), NOW + number)

    assert window.is_new(b"\0", NOW + 17), "the first one was forgotten"
    assert not window.is_new(b"\x10", NOW + 18)


class Dying(SharedReplayWindow):
    """A forked process is killed while it holds the lock."""

    first = os.getpid()

    def _take(self, mark: bytes, start: int, now: int) -> bool:
        if os.getpid() != self.first:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._take(mark, start, now)


def test_process_that_dies_with_the_lock_blocks_nobody() -> None:
    window = Dying()
    pid = os.fork()
    if pid == 0:
        window.is_new(b"binder", NOW)
    _, status = os.waitpid(pid, 0)
    assert -signal.SIGKILL == os.waitstatus_to_exitcode(status)

    assert window.is_new(b"binder", NOW)
