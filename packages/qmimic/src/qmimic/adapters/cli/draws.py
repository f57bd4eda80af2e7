"""`qmimic draw`: first flights without a network."""

import json
import secrets
from pathlib import Path
from typing import Literal, cast

import click
from rich.console import Console

from qcore.errors import UsageError
from qmimic.capture import flow_to_object
from qmimic.draw import draw_flows
from qmimic.profile import ClientProfile

from .errors import Failure, failures, one_line
from .picture import flight_picture
from .profile_option import PROFILE

DEFAULT_NAME = "www.example.com"


class ServerNames(click.ParamType[tuple[str, ...]]):
    """One name, or @FILE with a name a line."""

    name = "name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read the names; an unreadable or empty file is misuse."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        if not text.startswith("@"):
            if not text:
                self.fail("a server without a name has an address", param, ctx)
            return (text,)
        try:
            lines = Path(text[1:]).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{text[1:]}: {getattr(error, 'strerror', None) or error}", param, ctx)
        names = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
        if not names:
            self.fail(f"{text[1:]}: no names in it", param, ctx)
        return names


@click.command("draw")
@click.argument("profile", type=PROFILE)
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="Number of flights.")
@click.option("--seed", type=int, help="Decides every byte; drawn when absent, and printed with the flights.")
@click.option(
    "--server-name",
    "server_names",
    type=ServerNames(),
    default=DEFAULT_NAME,
    show_default=True,
    metavar="NAME|@FILE",
    help="Name of the server; with @FILE the names in it in turn.",
)
@click.option("--family", type=click.Choice(["4", "6"]), default="4", show_default=True, help="IP version.")
@click.option("--resumed", is_flag=True, help="As if a ticket and a token of the server were kept.")
@click.option(
    "--early-data", is_flag=True, help="With --resumed: also the datagrams that hold nothing but early data."
)
@click.option(
    "--jsonl", is_flag=True, help="Print captures, an object a line; the default unless on a terminal."
)
def draw_command(
    profile: ClientProfile,
    count: int,
    seed: int | None,
    server_names: tuple[str, ...],
    family: str,
    resumed: bool,
    early_data: bool,
    jsonl: bool,
) -> None:
    """Draw first flights of PROFILE."""
    if early_data and not resumed:
        raise click.UsageError("--early-data needs --resumed")
    flows = draw_flows(
        profile,
        seed=secrets.randbits(32) if seed is None else seed,
        count=count,
        server_names=server_names,
        family=cast("Literal[4, 6]", int(family)),
        resumed=resumed,
        early_data=early_data,
    )
    console = Console(highlight=False)
    with failures():
        try:
            for flow in flows:
                if jsonl or not console.is_terminal:
                    click.echo(json.dumps(flow_to_object(flow), separators=(",", ":")))
                else:
                    has_colours = console.color_system is not None
                    picture = flight_picture(
                        flow.payloads, console.width, title=flow.about["host"], has_colours=has_colours
                    )
                    console.print(picture)
        except (UsageError, ValueError) as error:
            raise Failure(f"{profile.name}: {one_line(error)}") from None
