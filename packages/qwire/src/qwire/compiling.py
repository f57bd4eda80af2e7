"""What compiled builds have to be told.

mypyc seals the classes it compiles, unless they carry its mark. The mark means nothing to the interpreter, so
nothing has to be installed for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**_marks):
        return lambda marked: marked


__all__ = ["mypyc_attr"]
