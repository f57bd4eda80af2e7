"""`qmimic lint`: what would give a profile away, or break."""

import json
import sys
from dataclasses import asdict

import click

from qmimic.lint import lint
from qmimic.profile import ClientProfile

from .profile_option import PROFILE


@click.command("lint")
@click.argument("profile", type=PROFILE)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def lint_command(profile: ClientProfile, as_json: bool) -> None:
    """Look for faults in PROFILE, a built-in name or a TOML file; exit status 1 if there are errors."""
    findings = lint(profile)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            colour = "red" if finding.severity == "error" else "yellow"
            click.echo(
                f"{click.style(finding.severity, fg=colour, bold=True)}: {finding.kind}: {finding.message}"
            )
        if not findings:
            click.echo(f"{profile.name}: nothing found")
    sys.exit(1 if any(finding.severity == "error" for finding in findings) else 0)
