"""What compiled builds have to be told.

mypyc seals the classes it compiles, unless they carry its mark, and lets them have one base,
unless the others are traits. Neither mark means anything to the interpreter, so nothing has to be installed for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr, trait
else:

    def mypyc_attr(**_marks):
        return lambda marked: marked

    def trait(marked):
        return marked


__all__ = ["mypyc_attr", "trait"]
