"""`qmimic fingerprint`: who sent the first flights in a file."""

import json
from pathlib import Path

import click

from qmimic.capture import read_capture
from qmimic.fingerprint import canonical_records, fingerprint

from .columns import print_columns
from .errors import failures


@click.command("fingerprint")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a list of canonical records.")
@click.option("--any-pn", is_flag=True, help="Also take flights whose packet numbers start above 32.")
def fingerprint_command(file: Path, as_json: bool, any_pn: bool) -> None:
    """Print v1, v2 and JA4 of each connection in FILE: pcap, pcapng or captures-jsonl."""
    with failures():
        flows = read_capture(file)
    found = fingerprint((data for flow in flows for data in flow.payloads), any_pn=any_pn)
    if as_json:
        click.echo(json.dumps(canonical_records(found), indent=2))
        return
    if not found:
        click.echo("no first flight in this file")
        return
    rows = [
        (item.connection.hex(), item.server_name or "-", item.v1.overall, item.v2.super, item.ja4.value)
        for item in found
    ]
    print_columns(("connection", "server name", "v1", "v2", "JA4"), rows)
