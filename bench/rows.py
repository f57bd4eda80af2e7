"""The rows of the comparison: a stack with its settings and the environment that it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        name: as given on the command line and shown.
        stack: module in `bench.stacks`.
        variant: what that module is told.
        loop: the event loop that it is fastest on.
        is_compiled: whether it needs the compiled wheels.
    """

    name: str
    stack: str
    variant: str = ""
    loop: str = "asyncio"
    is_compiled: bool = False

    @property
    def is_peer(self) -> bool:
        """Whether it is somebody else's."""
        return self.stack != "uquic"


ROWS: Final[dict[str, Row]] = {
    row.name: row
    for row in (
        Row("pure", "uquic", loop="uvloop"),
        Row("compiled", "uquic", loop="uvloop", is_compiled=True),
        # On uvloop it falls to a tenth in some runs: its pacing timer fires early there and is armed again at once.
        Row("aioquic", "aioquic"),
        Row("qh3", "qh3", loop="uvloop"),
        Row("qh3+", "qh3", "batched", loop="uvloop"),
    )
}
