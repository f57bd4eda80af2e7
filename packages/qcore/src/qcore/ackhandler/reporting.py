"""What loss recovery tells an observer after each change: metrics always, states and timers when they have changed."""

from __future__ import annotations

import math
from typing import final

from ..congestion.base import CongestionController
from ..observer import Observer
from .ecn import EcnState, EcnValidator
from .rtt import RttEstimator


@final
class RecoveryReporter:
    """Remembers what the observer of one connection knows."""

    __slots__ = ("_deadline", "_ecn_state")

    def __init__(self, ecn: EcnValidator | None) -> None:
        self._deadline = math.inf
        self._ecn_state: EcnState | None = ecn.state if ecn is not None else None

    def report(
        self,
        observer: Observer,
        now: float,
        rtt: RttEstimator,
        congestion: CongestionController,
        old_state: str,
        bytes_in_flight: int,
        pto_count: int,
        ecn: EcnValidator | None,
        deadline: float,
    ) -> None:
        """Tell what there is to tell.

        Args:
            old_state: of congestion control before the change.
            deadline: of the loss timer, math.inf for none.
        """
        observer.metrics_updated(
            now,
            rtt.smoothed,
            rtt.minimum,
            rtt.latest,
            rtt.variance,
            congestion.window,
            bytes_in_flight,
            pto_count,
        )
        state = congestion.state
        if state != old_state:
            observer.congestion_state(now, old_state, state)
        known = self._ecn_state
        if ecn is not None and known is not None and ecn.state is not known:
            observer.ecn_state(now, known.value, ecn.state.value)
            self._ecn_state = ecn.state
        if deadline != self._deadline:
            self._deadline = deadline
            observer.loss_timer(now, deadline)
