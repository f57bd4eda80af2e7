"""Options of `qmimic get` that have a form of their own: headers, addresses, seeds."""

from pathlib import Path

import click

from qhttp3.aio.fields import encode_fields
from qhttp3.errors import StreamViolation
from qhttp3.headers import clean
from qmimic.errors import MimicError
from qmimic.memory import Memory

from .errors import Failure, one_line

Target = tuple[tuple[str, int], tuple[str, int]]


class HeaderParameter(click.ParamType[tuple[str, str]]):
    """`Name: value`; without a value the profile's header is taken away."""

    name = "header"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first colon."""
        if isinstance(value, tuple):
            return value
        name, colon, content = str(value).partition(":")
        if not colon or not name.strip():
            self.fail(f"{value!r} is not NAME:VALUE", param, ctx)
        field = name.strip(), content.strip()
        try:
            clean(encode_fields([field]))
        except (StreamViolation, UnicodeEncodeError) as error:
            self.fail(f"{value!r}: {one_line(error)}", param, ctx)
        return field


class ResolveParameter(click.ParamType[Target]):
    """`HOST:PORT:ADDRESS`, as curl has it; an IPv6 address may stand in brackets."""

    name = "resolve"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Split into what a URL says and where to go instead."""
        if isinstance(value, tuple):
            return value
        host, _, rest = str(value).partition(":")
        port, _, address = rest.partition(":")
        address = address.removeprefix("[").removesuffix("]")
        if not host or not address or not port.isdigit() or not 0 < int(port) < 65_536:
            self.fail(f"{value!r} is not HOST:PORT:ADDRESS", param, ctx)
        return (host, int(port)), (address, int(port))


HEADER = HeaderParameter()
RESOLVE = ResolveParameter()


def read_memory(path: Path | None) -> Memory:
    """What an earlier run kept; nothing when there was none."""
    if path is None or not path.exists():
        return Memory()
    try:
        return Memory.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, MimicError) as error:
        raise Failure(f"{path}: {error}") from None


def write_memory(path: Path, memory: Memory) -> None:
    """Keep what was learnt, readable by this user alone: it holds secrets."""
    try:
        # Whoever is interrupted while writing keeps the old file.
        beside = path.with_name(f"{path.name}.new")
        beside.unlink(missing_ok=True)
        beside.touch(mode=0o600)
        beside.write_text(memory.dumps(), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def read_data(text: str) -> bytes:
    """The body of a request: the text itself, or the content of a file behind @."""
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{text[1:]}: {error.strerror}", param_hint="-d") from None
