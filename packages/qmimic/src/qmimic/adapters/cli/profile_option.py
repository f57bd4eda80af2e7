"""Profiles on the command line: built-in ones by name, others by file."""

from pathlib import Path
from typing import Final

import click

from qmimic.catalog import profile
from qmimic.errors import ProfileError
from qmimic.profile import ClientProfile

#: Files based on files, one on the other, before that is taken for a circle.
MAX_BASES: Final = 8


class ProfileParameter(click.ParamType[ClientProfile]):
    """The name of a built-in profile, or the path of a TOML file."""

    name = "profile"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClientProfile:
        """Find the profile; an unknown one is misuse."""
        if isinstance(value, ClientProfile):
            return value
        text = str(value)
        try:
            return find_profile(text)
        except ProfileError as error:
            self.fail(f"{text}: {error}" if text.endswith(".toml") else str(error), param, ctx)
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{text}: {getattr(error, 'strerror', None) or error}", param, ctx)


def find_profile(name: str, beside: Path | None = None, depth: int = 0) -> ClientProfile:
    """A built-in profile, or that of a file, which may be based on another file `beside` it.

    Raises:
        ProfileError: there is none, it makes no sense, or files are based on each other.
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    if not name.endswith(".toml"):
        return profile(name)
    if depth > MAX_BASES:
        raise ProfileError(f"based_on: more than {MAX_BASES} files based on each other")
    path = Path(name) if beside is None else beside.parent / name
    return ClientProfile.from_toml(
        path.read_text(encoding="utf-8"), lambda base: find_profile(base, path, depth + 1)
    )


PROFILE = ProfileParameter()
