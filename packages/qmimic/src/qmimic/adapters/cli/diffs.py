"""`qmimic diff`: where two clients part."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from qcore.errors import UsageError
from qmimic.capture import CapturedFlow, read_capture
from qmimic.diff import Difference, diff
from qmimic.errors import MimicError
from qmimic.profile import ClientProfile

from .errors import Trouble, one_line
from .profile_option import PROFILE

CAPTURE_ENDINGS: Final = (".jsonl", ".pcap", ".pcapng", ".cap")


class SideParameter(click.ParamType["ClientProfile | list[CapturedFlow]"]):
    """A profile by name or file, or a capture file."""

    name = "side"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClientProfile | list[CapturedFlow]:
        """What looks like a path and is no TOML is a capture; the rest is a profile."""
        if isinstance(value, ClientProfile | list):
            return value
        text = str(value)
        is_path = Path(text).is_file() or "/" in text or text.endswith(CAPTURE_ENDINGS)
        if is_path and not text.endswith(".toml"):
            try:
                return read_capture(text)
            except MimicError as error:
                raise Trouble(one_line(error)) from None
        return PROFILE.convert(value, param, ctx)


@click.command("diff")
@click.argument("a", type=SideParameter())
@click.argument("b", type=SideParameter())
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def diff_command(
    a: ClientProfile | list[CapturedFlow], b: ClientProfile | list[CapturedFlow], as_json: bool
) -> None:
    """Compare A and B, profiles or capture files, field by field; exit status 1 if they differ, 2 on trouble."""
    try:
        found = diff(a, b)
    except (UsageError, MimicError, ValueError) as error:
        raise Trouble(one_line(error)) from None
    if as_json:
        click.echo(json.dumps([asdict(item) for item in found], indent=2))
    else:
        print_differences(found)
    sys.exit(1 if found else 0)


def print_differences(found: list[Difference]) -> None:
    """The fields on which the sides part, under the kind of connection."""
    if not found:
        click.echo("no difference found")
    for index, item in enumerate(found):
        if index == 0 or found[index - 1].kind != item.kind:
            click.echo(click.style(f"{item.kind} connections", bold=True))
        click.echo(f"  {item.field}\n    A  {item.a}\n    B  {item.b}")
