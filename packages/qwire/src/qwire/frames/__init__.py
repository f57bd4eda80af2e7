"""Frames as plain values, and the parser of a packet's payload. RFC 9000 §19, RFC 9221."""

from qwire.frames.ack import AckFrame, AckFrequencyFrame, ImmediateAckFrame
from qwire.frames.base import Frame
from qwire.frames.connection import (
    ConnectionCloseFrame,
    NewConnectionIdFrame,
    PathChallengeFrame,
    PathResponseFrame,
    RetireConnectionIdFrame,
)
from qwire.frames.control import DatagramFrame, HandshakeDoneFrame, PaddingFrame, PingFrame
from qwire.frames.crypto import CryptoFrame, NewTokenFrame
from qwire.frames.flow_control import (
    DataBlockedFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    StreamDataBlockedFrame,
    StreamsBlockedFrame,
)
from qwire.frames.parser import (
    KNOWN_FRAME_TYPES,
    allowed_frame_types,
    parse_frames,
    parse_sole_stream,
    parse_stream_run,
)
from qwire.frames.stream import ResetStreamAtFrame, ResetStreamFrame, StopSendingFrame, StreamFrame

__all__ = [
    "KNOWN_FRAME_TYPES",
    "AckFrame",
    "AckFrequencyFrame",
    "ConnectionCloseFrame",
    "CryptoFrame",
    "DataBlockedFrame",
    "DatagramFrame",
    "Frame",
    "HandshakeDoneFrame",
    "ImmediateAckFrame",
    "MaxDataFrame",
    "MaxStreamDataFrame",
    "MaxStreamsFrame",
    "NewConnectionIdFrame",
    "NewTokenFrame",
    "PaddingFrame",
    "PathChallengeFrame",
    "PathResponseFrame",
    "PingFrame",
    "ResetStreamAtFrame",
    "ResetStreamFrame",
    "RetireConnectionIdFrame",
    "StopSendingFrame",
    "StreamDataBlockedFrame",
    "StreamFrame",
    "StreamsBlockedFrame",
    "allowed_frame_types",
    "parse_frames",
    "parse_sole_stream",
    "parse_stream_run",
]
