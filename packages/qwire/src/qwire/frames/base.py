"""What every frame has: ``append``, ``size``, ``type``, equality and repr.

A frame is a plain value. It checks nothing when made; ``append`` raises ``ValueError`` for a value that has no
encoding, before or after bytes were written, so a writer that failed is thrown away. RFC 9000 §12.4, §19.
"""

from __future__ import annotations

from typing import ClassVar

from qwire.buffer import Writer
from qwire.compiling import mypyc_attr
from qwire.values import Value


@mypyc_attr(acyclic=True, allow_interpreted_subclasses=True)
class Frame(Value):
    """Base of all frames."""

    __slots__ = ()
    TYPE: ClassVar[int] = -1
    ack_eliciting: ClassVar[bool] = True
    """Whether a packet with this frame must be acknowledged. RFC 9000 §13.2."""

    @property
    def type(self) -> int:
        """The type as it is written. RFC 9000 §12.4."""
        return self.TYPE

    def append(self, writer: Writer) -> None:
        """Write the frame, type included, to the end of ``writer``."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """What ``append`` writes, as a string of its own."""
        writer = Writer()
        self.append(writer)
        return writer.getvalue()

    def size(self) -> int:
        """Bytes that ``append`` writes."""
        writer = Writer()
        self.append(writer)
        return len(writer)

    def __hash__(self) -> int:
        # None in its place would not keep mypyc from handing down that of values.
        raise TypeError(f"frames can change, and have no hash: {self!r}")
