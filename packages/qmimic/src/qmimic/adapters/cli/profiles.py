"""`qmimic profiles` and `qmimic show`: what can be drawn, and from what."""

import json
from dataclasses import asdict

import click

from qmimic.catalog import ALIASES, profiles
from qmimic.profile import ClientProfile

from .columns import print_columns
from .profile_option import PROFILE


@click.command("profiles")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def profiles_command(as_json: bool) -> None:
    """List the built-in profiles and where the knowledge of them comes from."""
    aliases: dict[str, list[str]] = {}
    for alias, name in ALIASES.items():
        aliases.setdefault(name, []).append(alias)
    infos = profiles()
    if as_json:
        click.echo(
            json.dumps([{**asdict(info), "aliases": aliases.get(info.name, [])} for info in infos], indent=2)
        )
        return
    rows = [
        (
            ", ".join((info.name, *aliases.get(info.name, []))),
            info.client,
            info.version,
            info.platform,
            info.provenance,
        )
        for info in infos
    ]
    print_columns(("name", "client", "version", "platform", "provenance"), rows)


@click.command("show")
@click.argument("profile", type=PROFILE)
@click.option("--toml", "as_toml", is_flag=True, help="Print only the file, ready for --as FILE.toml.")
def show_command(profile: ClientProfile, as_toml: bool) -> None:
    """Show PROFILE, a built-in name or a TOML file."""
    if not as_toml:
        info = profile.info
        click.echo(f"# {info.name}: {info.client} {info.version} on {info.platform}")
        click.echo(f"# {info.provenance}\n")
    click.echo(profile.to_toml(), nl=False)
