"""What a BBR flow does at a time, and how much faster than the path, and with how much in flight, it does it.

draft-ietf-ccwg-bbr-06 §3.3, §5.6.1.
"""

from enum import Enum
from typing import Final

PROBE_RTT_GAIN: Final = 0.5  # §5.3.4


class Phase(Enum):
    """What the flow does now; §3.3."""

    STARTUP = "startup"
    DRAIN = "drain"
    DOWN = "probe_bw_down"
    CRUISE = "probe_bw_cruise"
    REFILL = "probe_bw_refill"
    UP = "probe_bw_up"
    PROBE_RTT = "probe_rtt"


class AckPhase(Enum):
    """Which of the packets that are acknowledged now were sent to look for bandwidth; §5.3.3.9."""

    INIT = "init"
    REFILLING = "refilling"
    STARTING = "starting"
    FEEDBACK = "feedback"
    STOPPING = "stopping"


PACING_GAINS: Final = {  # §5.6.1
    Phase.STARTUP: 2.77,
    Phase.DRAIN: 0.5,
    Phase.DOWN: 0.9,
    Phase.CRUISE: 1.0,
    Phase.REFILL: 1.0,
    Phase.UP: 1.25,
    Phase.PROBE_RTT: 1.0,
}
WINDOW_GAINS: Final = {
    Phase.STARTUP: 2.0,
    Phase.DRAIN: 2.0,
    Phase.DOWN: 2.0,
    Phase.CRUISE: 2.0,
    Phase.REFILL: 2.0,
    Phase.UP: 2.25,
    Phase.PROBE_RTT: PROBE_RTT_GAIN,
}
CYCLE: Final = frozenset((Phase.DOWN, Phase.CRUISE, Phase.REFILL, Phase.UP))
PROBING: Final = frozenset((Phase.STARTUP, Phase.REFILL, Phase.UP))
