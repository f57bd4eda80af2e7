"""Packets to write frames into, and a pair of stream managers with a link between them."""

from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from qcore.events import Event
from qcore.flow_control import ConnectionFlow
from qcore.packing.builder import PacketBuilder
from qcore.packing.source import FrameSource
from qcore.streams import StreamLimits, StreamManager
from qwire.constants import (
    TP_INITIAL_MAX_DATA,
    TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL,
    TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE,
    TP_INITIAL_MAX_STREAM_DATA_UNI,
    TP_INITIAL_MAX_STREAMS_BIDI,
    TP_INITIAL_MAX_STREAMS_UNI,
    TP_RESET_STREAM_AT,
    PacketType,
)
from qwire.frames import (
    DataBlockedFrame,
    Frame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    ResetStreamAtFrame,
    ResetStreamFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
    parse_frames,
)
from qwire.transport_parameters import Parameter, TransportParameters

from ..packets import new_packet


def parameters_of(limits: StreamLimits) -> TransportParameters:
    values = {
        TP_INITIAL_MAX_DATA: limits.data,
        TP_INITIAL_MAX_STREAM_DATA_BIDI_LOCAL: limits.bidi_local,
        TP_INITIAL_MAX_STREAM_DATA_BIDI_REMOTE: limits.bidi_remote,
        TP_INITIAL_MAX_STREAM_DATA_UNI: limits.uni,
        TP_INITIAL_MAX_STREAMS_BIDI: limits.streams_bidi,
        TP_INITIAL_MAX_STREAMS_UNI: limits.streams_uni,
    }
    return TransportParameters(
        [
            Parameter(TP_RESET_STREAM_AT, b""),
            *(Parameter(id, (value | 0xC0 << 56).to_bytes(8, "big")) for id, value in values.items()),
        ]
    )


class Side:
    """A stream manager with its flow control, as an engine would hold them."""

    def __init__(self, is_client: bool, limits: StreamLimits, send_buffer: int, max_window: int) -> None:
        self.flow = ConnectionFlow(limits.data, max_window)
        self.streams = StreamManager(
            is_client=is_client,
            flow=self.flow,
            local=limits,
            send_buffer=send_buffer,
            max_stream_window=max_window,
            takes_reset_at=True,
        )
        self.limits = limits
        self.seen: list[Event] = []

    def receive(self, frame: Frame) -> None:
        streams = self.streams
        flow = self.flow
        match frame:
            case StreamFrame():
                streams.receive_stream(frame)
            case ResetStreamFrame():
                streams.receive_reset(frame)
            case ResetStreamAtFrame():
                streams.receive_reset_at(frame)
            case StopSendingFrame():
                streams.receive_stop_sending(frame)
            case MaxStreamDataFrame():
                streams.receive_max_stream_data(frame)
            case StreamDataBlockedFrame():
                streams.receive_stream_data_blocked(frame)
            case MaxStreamsFrame():
                streams.receive_max_streams(frame)
            case StreamsBlockedFrame():
                streams.receive_streams_blocked(frame)
            case MaxDataFrame():
                flow.receive_max_data(frame)
            case DataBlockedFrame():
                flow.receive_data_blocked(frame)
            case _:
                raise AssertionError(f"not a frame of streams: {frame!r}")

    def receive_all(self, *frames: Frame) -> list[Event]:
        for frame in frames:
            self.receive(frame)
        return self.events()

    def events(self) -> list[Event]:
        events = self.streams.drain_events()
        self.seen.extend(events)
        return events

    def sources(self) -> list[FrameSource]:
        return [self.flow, self.streams]

    def write(self, room: int = 1200, now: float = 0.0) -> list[tuple[Frame, FrameSource]]:
        """The frames of one packet."""
        packet = new_packet(room, now=now, number_size=2)
        for source in self.sources():
            if source.has_frames(packet.space):
                source.write_frames(packet)
        return packet.frames

    def write_all(self, room: int = 1200, now: float = 0.0) -> list[Frame]:
        """Frames of as many packets as there are."""
        frames: list[Frame] = []
        while True:
            written = self.write(room, now)
            if not written:
                return frames
            frames.extend([frame for frame, _ in written])


class Link:
    """Carries packets between two sides, some of them not and some late; the fate of each is reported."""

    def __init__(self, client: Side, server: Side, random: Random, loss: float) -> None:
        self.client = client
        self.server = server
        self.random = random
        self.loss = loss
        self.now = 0.0
        self.flying: list[tuple[Side, Side, list[tuple[Frame, FrameSource]], bytes]] = []

    def step(self) -> bool:
        """Send what both have, deliver or lose what is on the way; False when nothing is left to do."""
        self.now += 0.01
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            for _ in range(4):
                packet = new_packet(self.random.choice((60, 200, 1200, 1200)), now=self.now, number_size=2)
                for source in sender.sources():
                    if source.has_frames(packet.space):
                        source.write_frames(packet)
                if packet.frames:
                    payload = b"".join([_encoded(frame) for frame, _ in packet.frames])
                    self.flying.append((sender, receiver, packet.frames, payload))
        if not self.flying:
            return False
        self.random.shuffle(self.flying)
        landing = self.flying[: (len(self.flying) + 1) // 2]
        del self.flying[: len(landing)]
        for _sender, receiver, frames, payload in landing:
            is_lost = self.random.random() < self.loss
            if not is_lost:
                for frame in parse_frames(payload, PacketType.ONE_RTT):
                    receiver.receive(frame)
            # An acknowledgement may be lost too: then what arrived is sent again.
            is_acked = not is_lost and self.random.random() >= self.loss / 2
            for frame, source in frames:
                if is_acked:
                    source.on_acked(frame)
                else:
                    source.on_lost(frame)
        return True


def _encoded(frame: Frame) -> bytes:
    from qwire.buffer import Writer

    writer = Writer()
    frame.append(writer)
    return bytes(writer.data)


DEFAULT: Final = StreamLimits(
    data=100_000, bidi_local=30_000, bidi_remote=30_000, uni=20_000, streams_bidi=10, streams_uni=5
)

MakeSide = Callable[..., Side]


@pytest.fixture
def packet() -> Callable[..., PacketBuilder]:
    """Makes packets: ``packet(room=1200, now=0.0)``."""
    return new_packet


@pytest.fixture
def side() -> MakeSide:
    """Makes one side whose peer has the same limits, if it has told them."""

    def make(
        is_client: bool = False,
        limits: StreamLimits = DEFAULT,
        peer: StreamLimits | None = DEFAULT,
        send_buffer: int = 50_000,
        max_window: int = 1 << 20,
    ) -> Side:
        made = Side(is_client, limits, send_buffer, max_window)
        if peer is not None:
            made.streams.set_peer_limits(parameters_of(peer))
        return made

    return make


@pytest.fixture
def link(side: MakeSide) -> Callable[..., Link]:
    """Makes a client and a server with a link between: ``link(seed, loss)``."""

    def make(seed: int, loss: float, limits: StreamLimits = DEFAULT) -> Link:
        print(f"seed {seed}")
        client = side(is_client=True, limits=limits, peer=limits)
        server = side(is_client=False, limits=limits, peer=limits)
        return Link(client, server, Random(seed), loss)

    return make
