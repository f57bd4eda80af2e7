"""How a command fails: one line on standard error, and an exit status that tells why."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from qmimic.errors import MimicError


class Failure(click.ClickException):
    """What was asked for did not work out; exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the one line."""
        click.echo(f"qmimic: {self.format_message()}", file=file or sys.stderr)


@contextmanager
def failures() -> Iterator[None]:
    """Turn errors that a user can do something about into `Failure`."""
    try:
        yield
    except MimicError as error:
        raise Failure(one_line(error)) from None


def one_line(error: BaseException) -> str:
    """The message of an exception on one line, without the number that the system has for it."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
