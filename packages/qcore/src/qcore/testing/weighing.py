"""What a connection holds in memory and what it costs to run, in numbers that do not depend on the machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Final

from .trace import Trace

# Shared by everything, and no part of any connection; and the notes of a test.
SHARED: Final = (type, ModuleType, FunctionType, BuiltinFunctionType, FrameType, Trace)


def held(root: object, shared: tuple[type, ...] = ()) -> int:
    """Bytes of all objects that can be reached from an object: its own, and what they refer to.

    Args:
        shared: types of what belongs to others, in addition to code and `Trace`.
    """
    passed_over = SHARED + shared
    seen = {id(root)}
    total = 0
    waiting = [root]
    while waiting:
        each = waiting.pop()
        total += sys.getsizeof(each)
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, passed_over):
                seen.add(id(other))
                waiting.append(other)
    return total


def calls(work: Callable[[], object]) -> int:
    """Calls of functions, written in Python or not, while something runs; compiled code hides its own."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        if event == "call" or event == "c_call":
            count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
