"""How a command fails: one line on standard error, and an exit status that tells why."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import click

from qmimic.errors import MimicError

#: What shells report of a command that was interrupted: 128 and the number of the signal.
ABORTED: Final = 130


class Failure(click.ClickException):
    """What was asked for did not work out; exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the one line."""
        click.echo(f"qmimic: {self.format_message()}", file=file or sys.stderr)


class Trouble(Failure):
    """The same for commands whose exit status 1 is an answer."""

    exit_code = 2


class Commands(click.Group):
    """A group of commands in which misuse takes one line to tell; exit status 2."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command, and end with its exit status."""
        try:
            result = super().main(*args, **{**options, "standalone_mode": False})
        except click.Abort:
            sys.exit(ABORTED)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx is not None else "qmimic"
            message = " ".join(error.format_message().split())
            click.echo(f"{path}: {message.removesuffix('.')} (try {path} --help)", file=sys.stderr)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        sys.exit(result if isinstance(result, int) else 0)


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
