"""One module per implementation, loaded only where it is used: each has a function ``make(variant)``."""

from __future__ import annotations

from importlib import import_module

from ..stack import Stack


def load(name: str, variant: str = "") -> Stack:
    """The stack of that name."""
    stack: Stack = import_module(f"{__name__}.{name}").make(variant)
    return stack
