"""BBR version 3: a model of the path instead of a reaction to loss.

Measures how fast the path delivers and how long it takes, sends at that rate with little more in flight than the path
holds, and now and then sends faster, to see whether there is more, and less, to see the path without a queue.
draft-ietf-ccwg-bbr-06, whose sections are named where they are followed; what is measured is in `bbr_delivery`,
what is believed of the path in `bbr_model`, what a flow does at a time in `bbr_phases`, and when and how steeply it looks
for more in `bbr_probing`.
"""

from __future__ import annotations

import math
from typing import ClassVar, Final, final

from .base import MAXIMUM_WINDOW, MINIMUM_RTT, CongestionController, initial_window
from .bbr_delivery import Burst, DeliverySampler, RateSample
from .bbr_model import BETA, LOSS_THRESHOLD, PathModel
from .bbr_phases import CYCLE, PACING_GAINS, PROBE_RTT_GAIN, PROBING, WINDOW_GAINS, AckPhase, Phase
from .bbr_probing import ProbeClock, Slope

# §2.6, §5.6.2: send a little less than what is delivered, so that queues go away.
PACING_MARGIN: Final = 0.99
MINIMUM_PIPE_DATAGRAMS: Final = 4  # §5.6.4.3
# §5.3.1.3: losses in a round that end Startup, when they are more than the threshold allows.
STARTUP_LOSSES: Final = 6
DRAIN_ROUNDS: Final = 3  # §5.3.2
# §5.3.4: when and for how long to look for the shortest round trip.
PROBE_RTT_DURATION: Final = 0.2
# §5.6.3
QUANTUM_TIME: Final = 0.001
MAX_QUANTUM: Final = 65_536
# §5.6.2: the round-trip time that counts before one is known.
NOMINAL_RTT: Final = 0.001


@final
class Bbr(CongestionController):
    """draft-ietf-ccwg-bbr-06. The window only bounds; it is the pacing rate that steers.

    Losses never shrink the window at once: they change the model, and the next ACK brings the window in line.

    Attributes:
        phase: what the flow does now.
        model: what is believed of the path.
    """

    __slots__ = (
        "_ack_phase",
        "_clock",
        "_drain_round",
        "_episode_start",
        "_in_flight",
        "_is_idle_restart",
        "_is_offered",
        "_is_probe_sample",
        "_is_window_limited",
        "_loss_events",
        "_marked_in_round",
        "_prior_window",
        "_probe_rtt_end",
        "_probe_rtt_round_done",
        "_probe_was_cautious",
        "_probe_was_too_high",
        "_rate",
        "_sampler",
        "_slope",
        "_undo_phase",
        "_was_window_limited",
        "model",
        "phase",
    )

    name: ClassVar[str] = "bbr"
    samples_delivery: ClassVar[bool] = True

    def __init__(self, datagram_size: int) -> None:
        super().__init__(datagram_size)
        self._clock = ProbeClock()
        self._sampler = DeliverySampler()
        self._start()

    def _start(self) -> None:
        """§5.2.1."""
        self.model = PathModel()
        self.phase = Phase.STARTUP
        self._rate = 0.0
        self._in_flight = 0
        self._prior_window = 0
        self._is_offered = False
        self._is_idle_restart = False
        self._is_window_limited = False
        self._was_window_limited = False
        self._loss_events = 0
        self._marked_in_round = False
        self._ack_phase = AckPhase.INIT
        self._is_probe_sample = False
        self._probe_was_too_high = False
        self._probe_was_cautious = False
        self._clock.restart()
        self._slope = Slope()
        self._drain_round = 0
        self._probe_rtt_end = 0.0
        self._probe_rtt_round_done = False
        self._undo_phase: Phase | None = None
        # Losses of packets sent until then belong to one episode. `recovery_start` stays where it is: it would keep
        # packets out of what counts as delivered.
        self._episode_start = -math.inf

    @property
    def state(self) -> str:
        """The name of the phase."""
        return self.phase.value

    @property
    def minimum_window(self) -> int:
        return MINIMUM_PIPE_DATAGRAMS * self.datagram_size

    # Sending

    def on_offer(self, in_flight: int, now: float) -> None:
        if self._is_offered:
            self._sampler.mark_app_limited(in_flight)
        self._is_offered = True

    def on_sent(self, size: int, in_flight: int, now: float) -> None:
        self._is_offered = False
        self._in_flight = in_flight
        sampler = self._sampler
        if in_flight <= size and sampler.app_limited_until:
            self._restart_from_idle(now)
        sampler.on_sent(size, in_flight, now)

    def _restart_from_idle(self, now: float) -> None:
        """§5.4.1."""
        self._is_idle_restart = True
        self.model.restart_aggregation(now)
        if self.phase in CYCLE:
            self._set_rate(1.0)
        elif self.phase is Phase.PROBE_RTT:
            self._check_probe_rtt_done(now)

    # Acknowledgements

    def on_acked(
        self, size: int, sent_time: float, now: float, rtt: float, smoothed_rtt: float, in_flight: int
    ) -> None:
        self._in_flight = max(0, self._in_flight - size)
        if in_flight + self.datagram_size > self.window:
            self._is_window_limited = True
        model, sampler = self.model, self._sampler
        sample = sampler.on_acked(
            size, sent_time, now, rtt, 0.0 if model.min_rtt == math.inf else model.min_rtt
        )
        sampler.forget_before(sent_time - 3 * smoothed_rtt)
        if not self._rate:
            self._rate = self._nominal_rate(smoothed_rtt)

        # §5.2.3, in its order
        model.on_sample(sample, sampler.delivered)
        if model.is_round_start:
            self._clock.on_round()
            self._was_window_limited = self._is_window_limited
            self._is_window_limited = in_flight + self.datagram_size > self.window
        if model.is_loss_round_start:
            if model.is_loss_in_round and self.phase not in PROBING:
                model.lower_bounds(self.window)
            self._check_startup_loss(sample)
            model.is_loss_in_round = False
            self._loss_events = 0
            self._marked_in_round = False
        model.on_aggregation(size, now, self.window)
        model.check_full_pipe(sample)
        if self.phase is Phase.STARTUP and model.is_full:
            self._enter(Phase.DRAIN)
            self._drain_round = model.round_count
        if self.phase is Phase.DRAIN and (
            self._in_flight <= self._target(1.0) or model.round_count > self._drain_round + DRAIN_ROUNDS
        ):
            self._start_down(now)
        if model.is_full:
            self._advance_cycle(sample, now)
        model.update_min_rtt(rtt, now)
        self._check_probe_rtt(sample, now)
        model.finish(sample)
        self._set_rate(PACING_GAINS[self.phase])
        self._set_window_for_model(size)

    # §5.3.3: looking for bandwidth

    def _advance_cycle(self, sample: RateSample, now: float) -> None:
        """§5.3.3.9."""
        if self._adapt_upper_bound(sample, now):
            return
        phase = self.phase
        if phase is Phase.DOWN:
            if not self._check_time_to_probe(now) and self._is_time_to_cruise():
                self._enter(Phase.CRUISE)
        elif phase is Phase.CRUISE:
            self._check_time_to_probe(now)
        elif phase is Phase.REFILL:
            if self.model.is_round_start:
                self._is_probe_sample = True
                self._start_up(sample)
        elif phase is Phase.UP and self._is_time_to_go_down(sample):
            self._probe_was_too_high = False
            self._start_down(now)

    def _adapt_upper_bound(self, sample: RateSample, now: float) -> bool:
        """Advance what the ACKs of a probe mean, and raise the bound; True if the phase was changed."""
        model = self.model
        in_cycle = self.phase in CYCLE
        if model.is_round_start:
            if self._ack_phase is AckPhase.STARTING:
                self._ack_phase = AckPhase.FEEDBACK
            elif self._ack_phase is AckPhase.STOPPING:
                self._is_probe_sample = False
                self._ack_phase = AckPhase.INIT
                if in_cycle and not sample.is_app_limited:
                    model.advance_bandwidth()
                # §5.3.3.6: the cautious probe went well, so a bold one follows.
                if in_cycle and self._probe_was_cautious and not self._probe_was_too_high:
                    self._start_refill()
                    return True
        if _is_too_high(sample) or model.inflight_long == math.inf:
            return False
        model.inflight_long = max(model.inflight_long, sample.in_flight)
        if self.phase is Phase.UP:
            self._raise_upper_bound(sample)
        return False

    def _raise_upper_bound(self, sample: RateSample) -> None:
        model = self.model
        if not self._fills_window() or self.window < model.inflight_long:
            return
        model.inflight_long += self._slope.datagrams(sample.acked) * self.datagram_size
        if model.is_round_start:
            self._slope.steepen(self.window, self.datagram_size)

    def _start_down(self, now: float) -> None:
        self.model.reset_congestion_signals()
        self._slope.stop()
        self._clock.begin(self._sampler.delivered, now)
        self._ack_phase = AckPhase.STOPPING
        self.model.start_round(self._sampler.delivered)
        self._enter(Phase.DOWN)

    def _start_refill(self) -> None:
        self.model.reset_short_term()
        self._slope.restart()
        self._probe_was_cautious = False
        self._ack_phase = AckPhase.REFILLING
        self.model.start_round(self._sampler.delivered)
        self._enter(Phase.REFILL)

    def _start_up(self, sample: RateSample) -> None:
        self._ack_phase = AckPhase.STARTING
        self.model.start_round(self._sampler.delivered)
        self.model.reset_full(sample.rate)
        self._enter(Phase.UP)
        self._slope.steepen(self.window, self.datagram_size)

    def _check_time_to_probe(self, now: float) -> bool:
        if self._clock.is_due(min(self._bdp(1.0), self.window) / self.datagram_size, now):
            self._start_refill()
            return True
        return False

    def _is_time_to_cruise(self) -> bool:
        return self._in_flight <= self.model.inflight_with_headroom(
            self.datagram_size, self.minimum_window
        ) and self._in_flight <= self._target(1.0, self.model.max_rate)

    def _is_time_to_go_down(self, sample: RateSample) -> bool:
        """§5.3.3.7."""
        model = self.model
        if self._probe_was_too_high and self._in_flight >= model.inflight_long:
            self._probe_was_cautious = True
            return True
        if self._fills_window() and self.window >= model.inflight_long:
            model.reset_full(sample.rate)  # the bound holds the rate down, not the path
            return False
        return model.is_full_now

    # §5.5.10: losses and marks

    def on_lost(self, size: int, count: int, sent_time: float, now: float) -> None:
        self._in_flight = max(0, self._in_flight - size)
        burst = self._sampler.on_lost(size, sent_time)
        self._note_congestion(count, sent_time, now)
        if burst is None or not self._is_probe_sample:
            return
        lost = self._sampler.lost - burst.lost
        if lost > burst.in_flight * LOSS_THRESHOLD:
            # How much of it could have been in flight before losses crossed the threshold.
            before = burst.in_flight - size
            safe = before + (LOSS_THRESHOLD * before - (lost - size)) / (1 - LOSS_THRESHOLD)
            self._react_to_too_much(burst, safe, now)

    def on_ecn_ce(self, sent_time: float, now: float) -> None:
        # §3.7 leaves the reaction open, but wants one: a mark counts as the loss of a packet would.
        if sent_time <= self._episode_start:
            return
        self._note_congestion(0, sent_time, now)
        self._loss_events += STARTUP_LOSSES  # one mark ends Startup, as it ends slow start
        self._has_undo = False  # a mark is no mistake
        self._marked_in_round = True
        burst = self._sampler.find(sent_time)
        if burst is not None and self._is_probe_sample:
            self._react_to_too_much(burst, burst.in_flight, now)

    def _note_congestion(self, count: int, sent_time: float, now: float) -> None:
        self._loss_events += 1
        self._is_initial = False
        model = self.model
        if not model.is_loss_in_round:
            model.note_loss(self._sampler.delivered)
        if sent_time <= self._episode_start:
            self._lost_in_recovery += count
            return
        # §5.5.11.1: in case none of it turns out to be lost.
        self._episode_start = now
        self._has_undo = True
        self._lost_in_recovery = count
        self._late_in_recovery = 0
        self._undo_phase = None
        self._save_window()
        model.save()

    def _react_to_too_much(self, burst: Burst, in_flight: float, now: float) -> None:
        self._probe_was_too_high = True
        self._is_probe_sample = False  # once for each probe
        if not burst.is_app_limited:
            self.model.inflight_long = max(in_flight, min(self._bdp(1.0), self.window) * BETA)
        if self.phase is Phase.UP:
            self._undo_phase = Phase.UP
            self._start_down(now)

    def _check_startup_loss(self, sample: RateSample) -> None:
        """§5.3.1.3."""
        model = self.model
        if (
            self.phase is Phase.STARTUP
            and self._loss_events >= STARTUP_LOSSES
            and (_is_too_high(sample) or self._marked_in_round)
        ):
            self._undo_phase = Phase.STARTUP
            model.is_full = True
            model.inflight_long = max(self._bdp(1.0), model.inflight_latest)

    def on_persistent_congestion(self) -> None:
        self._save_window()
        self.window = self.minimum_window
        self._has_undo = False

    def on_late(self, sent_time: float, now: float) -> None:
        if not self._has_undo or sent_time > self._episode_start:
            return
        self._late_in_recovery += 1
        if self._late_in_recovery < self._lost_in_recovery:
            return
        # §5.5.11.2
        self._has_undo = False
        model = self.model
        self.window = max(self.window, self._prior_window)
        model.restore()
        model.reset_full(0.0)
        undo, self._undo_phase = self._undo_phase, None
        if undo is Phase.STARTUP and self.phase is not Phase.STARTUP:
            model.is_full = False
            if self.phase is not Phase.PROBE_RTT:
                self._enter(Phase.STARTUP)
        elif undo is Phase.UP and self.phase not in (Phase.UP, Phase.PROBE_RTT):
            self._start_refill()

    def on_discarded(self, size: int) -> None:
        self._in_flight = max(0, self._in_flight - size)

    # §5.3.4: looking for the shortest round trip

    def _check_probe_rtt(self, sample: RateSample, now: float) -> None:
        model = self.model
        if self.phase is not Phase.PROBE_RTT and model.is_probe_rtt_due and not self._is_idle_restart:
            self._save_window()
            self._enter(Phase.PROBE_RTT)
            self._probe_rtt_end = 0.0
            self._ack_phase = AckPhase.STOPPING
            model.start_round(self._sampler.delivered)
        if self.phase is Phase.PROBE_RTT:
            # What is sent now tells nothing of the rate that the path has.
            self._sampler.mark_app_limited(self._in_flight)
            if not self._probe_rtt_end:
                if self._in_flight <= self._probe_rtt_window():
                    self._probe_rtt_end = now + PROBE_RTT_DURATION
                    self._probe_rtt_round_done = False
                    model.start_round(self._sampler.delivered)
            else:
                if model.is_round_start:
                    self._probe_rtt_round_done = True
                if self._probe_rtt_round_done:
                    self._check_probe_rtt_done(now)
        if sample.delivered > 0:
            self._is_idle_restart = False

    def _check_probe_rtt_done(self, now: float) -> None:
        if not self._probe_rtt_end or now <= self._probe_rtt_end:
            return
        model = self.model
        model.schedule_probe_rtt(now)
        self.window = max(self.window, self._prior_window)
        model.reset_short_term()
        if model.is_full:
            self._start_down(now)
            self._enter(Phase.CRUISE)  # what is in flight is below what the path holds
        else:
            self._enter(Phase.STARTUP)

    # §5.6: rate and window

    def pacing_rate(self, smoothed_rtt: float) -> float:
        return self._rate or self._nominal_rate(smoothed_rtt)

    def _nominal_rate(self, smoothed_rtt: float) -> float:
        rtt = max(NOMINAL_RTT, smoothed_rtt)
        return PACING_GAINS[Phase.STARTUP] * initial_window(self.datagram_size) / rtt

    def _set_rate(self, gain: float) -> None:
        """§5.6.2: before the path was full once, only upwards."""
        rate = gain * self.model.rate * PACING_MARGIN
        if rate > self._rate or (self.model.is_full and rate > 0.0):
            self._rate = rate

    def _set_window_for_model(self, acked: int) -> None:
        """§5.6.4.6, §5.6.4.7."""
        model = self.model
        phase = self.phase
        target = self._with_quanta(self._bdp(WINDOW_GAINS[phase]) + model.extra_acked)
        window = float(self.window)
        if model.is_full:
            window = min(window + acked, target)
        elif window < target or self._sampler.delivered < initial_window(self.datagram_size):
            window += acked
        minimum = self.minimum_window
        bound = math.inf
        if phase is Phase.PROBE_RTT or phase is Phase.CRUISE:
            bound = model.inflight_with_headroom(self.datagram_size, minimum)
        elif phase in CYCLE:
            bound = model.inflight_long
        bound = max(minimum, min(bound, model.inflight_short))
        if phase is Phase.PROBE_RTT:
            bound = min(bound, self._probe_rtt_window())
        self._is_initial = False
        self.window = int(min(max(window, minimum), bound, MAXIMUM_WINDOW))

    def _bdp(self, gain: float, rate: float = 0.0) -> float:
        """What the path holds, times `gain`. §5.6.4.2."""
        model = self.model
        if model.min_rtt == math.inf or not model.rate:
            return initial_window(self.datagram_size)
        return gain * (rate or model.rate) * max(model.min_rtt, MINIMUM_RTT)

    def _target(self, gain: float, rate: float = 0.0) -> float:
        return self._with_quanta(self._bdp(gain, rate))

    def _with_quanta(self, in_flight: float) -> float:
        quantum = max(min(self._rate * QUANTUM_TIME, MAX_QUANTUM), 2 * self.datagram_size)
        in_flight = max(in_flight, quantum, self.minimum_window)
        return in_flight + 2 * self.datagram_size if self.phase is Phase.UP else in_flight

    def _probe_rtt_window(self) -> float:
        return max(self._bdp(PROBE_RTT_GAIN), self.minimum_window)

    def _save_window(self) -> None:
        """§5.6.4.4."""
        if self.phase is Phase.PROBE_RTT or self.model.is_loss_in_round:
            self._prior_window = max(self._prior_window, self.window)
        else:
            self._prior_window = self.window

    def _fills_window(self) -> bool:
        return self._is_window_limited or self._was_window_limited

    def _enter(self, phase: Phase) -> None:
        self.phase = phase

    # Ends and restarts

    def reset(self) -> None:
        super().reset()
        self._sampler.restart()
        self._start()


def _is_too_high(sample: RateSample) -> bool:
    """Whether more was lost than the threshold allows. §5.5.10.2."""
    return sample.lost > sample.in_flight * LOSS_THRESHOLD
