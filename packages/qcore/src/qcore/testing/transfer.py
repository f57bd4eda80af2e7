"""A bulk transfer between two engines, batch by batch, for measuring what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from ..batch import Address, Datagram, SendBatch
from ..config import QuicConfig
from ..engine.engine import QuicEngine
from ..events import StreamReadable, StreamWritable
from .pair import CLIENT_ADDRESS, SERVER_ADDRESS, Pair, Stalled

MIB: Final = 1 << 20
STEPS: Final = ("build", "open", "read", "make ack", "take ack")
STEP_TIME: Final = 0.0005
WINDOW: Final = 1 << 26


@final
class Transfer:
    """A client that sends full batches, and a server that reads them; nothing is lost.

    Args:
        streams: how many share the connection.
        in_flight: packets that stay unacknowledged.
        size: bytes of a UDP payload.
        clock: what to measure steps with.

    Attributes:
        packets: data packets that the server took.
        data: bytes of streams that it read.
        spent: for each batch and step, what the clock has advanced per packet.
    """

    def __init__(
        self,
        *,
        streams: int = 1,
        in_flight: int = 64,
        size: int = 1_350,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        config = QuicConfig(
            send_buffer=2 * in_flight * size // streams + MIB,
            stream_window=16 * MIB,
            connection_window=24 * MIB,
            max_bidi=streams,
            max_udp_payload=size,
        )
        pair = Pair(client_config=config, server_config=config, observed=False)
        pair.run_until(lambda: pair.client.is_confirmed)
        pair.client.parts.want_larger()
        pair.run_for(2.0)
        assert pair.server is not None
        self.packets = 0
        self.data = 0
        self.spent: dict[str, list[float]] = {step: [] for step in STEPS}
        self._client = pair.client
        self._server = pair.server
        self._now = pair.now
        self._in_flight = in_flight
        self._clock = clock
        self._on_their_way: list[list[Datagram]] = []
        self._batch = SendBatch()
        self._chunk = bytes(MIB)
        self._client.parts.recovery.congestion.window = WINDOW
        for _ in range(streams):
            self._write(self._client.open_stream())

    def step(self) -> None:
        """One batch out, the one that was sent longest ago in, and its acknowledgement back.

        Raises:
            Stalled: nothing can be sent, and nothing is on its way.
        """
        self._now += STEP_TIME
        self._client.parts.recovery.pacer.set_rate(0.0, self._now)
        clock = self._clock
        times = [clock()]
        self._transmit(self._client)
        times.append(clock())
        sent = self._take(CLIENT_ADDRESS)
        if sent:
            self._on_their_way.append(sent)
        if not self._on_their_way:
            raise Stalled(f"nothing is on its way after {self.packets} packets")
        if sent and sum(map(len, self._on_their_way)) < self._in_flight:
            return
        arrived = self._on_their_way.pop(0)
        times.append(clock())
        self._server.receive(arrived, self._now)
        times.append(clock())
        for event in self._server.events():
            if isinstance(event, StreamReadable):
                self.data += len(self._server.read(event.stream_id)[0])
        times.append(clock())
        self._transmit(self._server)
        times.append(clock())
        answers = self._take(SERVER_ADDRESS)
        times.append(clock())
        self._client.receive(answers, self._now)
        events = self._client.events()
        times.append(clock())
        for event in events:
            if isinstance(event, StreamWritable):
                self._write(event.stream_id)
        self.packets += len(arrived)
        for name, first, count in zip(STEPS, (0, 2, 3, 4, 6), (len(sent), *(len(arrived),) * 4), strict=True):
            if count:  # nothing is sent while credit is on its way
                self.spent[name].append((times[first + 1] - times[first]) / count)

    def run(self, packets: int) -> None:
        """Step until so many packets have arrived, and forget what was spent before."""
        self.spent = {step: [] for step in STEPS}
        stop = self.packets + packets
        while self.packets < stop:
            self.step()

    def _write(self, stream_id: int) -> None:
        while self._client.send_capacity(stream_id) > 0:
            self._client.send(stream_id, self._chunk)

    def _transmit(self, engine: QuicEngine) -> None:
        if engine.next_timeout() <= self._now:
            engine.handle_timeout(self._now)
        engine.transmit(self._now, self._batch)

    def _take(self, source: Address) -> list[Datagram]:
        datagrams = [Datagram(part, source, run.ecn) for run in self._batch.runs for part in run.parts]
        self._batch.clear()
        return datagrams
