"""Profiles on the command line: built-in ones by name, others by file."""

from pathlib import Path

import click

from qmimic.catalog import profile
from qmimic.errors import ProfileError
from qmimic.profile import ClientProfile


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
            if text.endswith(".toml"):
                return ClientProfile.from_toml(Path(text).read_text(encoding="utf-8"))
            return profile(text)
        except ProfileError as error:
            self.fail(f"{text}: {error}" if text.endswith(".toml") else str(error), param, ctx)
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{text}: {getattr(error, 'strerror', None) or error}", param, ctx)


PROFILE = ProfileParameter()
