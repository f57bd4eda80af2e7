"""The public names of qwire."""

import qwire
import qwire.frames

NAMES = [
    "VERSION_1",
    "VERSION_2",
    "DecodeError",
    "ForbiddenFrame",
    "PacketType",
    "Reader",
    "Truncated",
    "Writer",
]
FRAMES = """
    AckFrame AckFrequencyFrame ConnectionCloseFrame CryptoFrame DataBlockedFrame DatagramFrame Frame
    HandshakeDoneFrame ImmediateAckFrame KNOWN_FRAME_TYPES MaxDataFrame MaxStreamDataFrame MaxStreamsFrame
    NewConnectionIdFrame NewTokenFrame PaddingFrame PathChallengeFrame PathResponseFrame PingFrame
    ResetStreamAtFrame ResetStreamFrame RetireConnectionIdFrame StopSendingFrame StreamDataBlockedFrame
    StreamFrame StreamsBlockedFrame allowed_frame_types parse_frames parse_sole_stream parse_stream_run
"""


def test_public_names() -> None:
    assert sorted(NAMES) == sorted(qwire.__all__)
    assert sorted(FRAMES.split()) == sorted(qwire.frames.__all__)
    for module in (qwire, qwire.frames):
        for name in module.__all__:
            assert hasattr(module, name)
