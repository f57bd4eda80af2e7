import math
from collections.abc import Sequence

from qcore.ackhandler.fates import AckOutcome, oldest_with_frames, report_lost
from qcore.ackhandler.history import SentHistory, SentPacket
from qcore.packing.source import FrameSource
from qcore.spaces import APPLICATION
from qwire.frames import Frame, PingFrame


class Listener(FrameSource):
    def __init__(self) -> None:
        self.calls: list[list[Frame]] = []
        self.lost: list[Frame] = []

    def on_all_acked(self, frames: Sequence[Frame]) -> None:
        self.calls.append(list(frames))

    def on_lost(self, frame: Frame) -> None:
        self.lost.append(frame)


def packet(number: int, *owners: FrameSource, sent_time: float = 0.0, ecn: int = 0) -> SentPacket:
    frames: list[tuple[Frame, FrameSource]] = [(PingFrame(), owner) for owner in owners]
    return SentPacket(number, APPLICATION, sent_time, 100 + number, bool(frames), bool(frames), frames, ecn)


def test_an_owner_hears_of_frames_in_a_row_at_once() -> None:
    one, other = Listener(), Listener()
    AckOutcome().take([packet(0, one), packet(1, one, other), packet(2, one)], -math.inf)
    assert [len(frames) for frames in one.calls] == [2, 1]
    assert [len(frames) for frames in other.calls] == [1]


def test_bytes_sent_before_the_last_reaction_do_not_grow_the_window() -> None:
    owner = Listener()
    outcome = AckOutcome()
    outcome.take([packet(0, owner, sent_time=1.0), packet(1, owner, sent_time=3.0, ecn=1), packet(2)], 2.0)
    assert (3, 2, 1) == (outcome.acked, outcome.eliciting, outcome.marked)
    assert (201, 101) == (outcome.acked_bytes, outcome.growing_bytes)
    assert (102, 3.0) == (outcome.largest_acked_size, outcome.newest_time)


def test_nothing_acknowledged_leaves_no_time() -> None:
    outcome = AckOutcome()
    outcome.take([], -math.inf)
    assert (0, -math.inf) == (outcome.acked, outcome.newest_time)


def test_a_loss_is_told_once() -> None:
    owner = Listener()
    lost = packet(0, owner, owner)
    report_lost([lost])
    report_lost([lost])
    assert len(owner.lost) == 2
    assert lost.frames == []


def test_the_oldest_packets_with_frames_are_repeated() -> None:
    owner = Listener()
    history = SentHistory()
    probe = packet(1, owner)
    probe.is_mtu_probe = True
    for sent in (packet(0), probe, packet(2, owner), packet(3, owner), packet(4, owner)):
        history.append(sent)
    assert [2, 3] == [found.packet_number for found in oldest_with_frames(history, 2)]
