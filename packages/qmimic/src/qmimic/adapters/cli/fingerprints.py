"""`qmimic fingerprint`: who sent the first flights in a file, or to a port."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from qmimic.capture import CapturedFlow, read_capture
from qmimic.dissection import parse_key_log, perk_of
from qmimic.fingerprint import Fingerprint, FlightCollector, canonical_records, fingerprint_flight
from qwire.errors import DecodeError
from qwire.headers import parse_long_header

from .columns import print_columns
from .errors import Failure, failures, one_line
from .listening import datagrams_at


@click.command("fingerprint")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="Print canonical records: a list, or one a line when listening."
)
@click.option("--any-pn", is_flag=True, help="Also take flights whose packet numbers start above 32.")
@click.option(
    "--keylog", type=click.Path(path_type=Path), help="Keys of the connections in FILE, for HTTP/3."
)
@click.option("--counts", is_flag=True, help="Say on standard error what became of all datagrams.")
@click.option(
    "--listen", type=click.IntRange(0, 65_535), metavar="PORT", help="Listen there instead; 0 for any port."
)
@click.option("--host", default="::", show_default=True, help="Address to listen on.")
@click.option("--count", type=click.IntRange(min=1), help="Stop listening after so many connections.")
def fingerprint_command(
    file: Path | None,
    as_json: bool,
    any_pn: bool,
    keylog: Path | None,
    counts: bool,
    listen: int | None,
    host: str,
    count: int | None,
) -> None:
    """Print v1, v2 and JA4 of each connection in FILE: pcap, pcapng or captures-jsonl.

    With --listen, of whoever sends to a UDP port: point a client there and see what it looks like. Nobody answers.
    """
    if (file is None) is (listen is None):
        raise click.UsageError("give a FILE, or --listen PORT")
    collector = FlightCollector(any_packet_number=any_pn or listen is not None)
    if listen is not None:
        watch(collector, host, listen, as_json, count)
    elif file is not None:
        print_file(collector, file, keylog, as_json)
    if counts:
        for name, value in collector.counts.as_dict().items():
            click.echo(f"{name.replace('_', ' ')}: {value}", err=True)


def print_file(collector: FlightCollector, file: Path, keylog: Path | None, as_json: bool) -> None:
    """Everything in a capture file."""
    with failures():
        flows = read_capture(file)
        try:
            secrets = parse_key_log(keylog.read_text(encoding="utf-8")) if keylog is not None else {}
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{keylog}: {one_line(error)}") from None
    payloads = (data for flow in flows for data in flow.payloads)
    found = list(collected(collector, payloads))
    texts = {cid: text for flow in flows if (text := http3_text(flow, secrets)) for cid in first_cids(flow)}
    if as_json:
        records = canonical_records(found)
        for record in records:
            cid = bytes.fromhex(str(record["conn_key"]))
            if cid in texts:
                record["http3"] = texts[cid]
        click.echo(json.dumps(records, indent=2))
        return
    if not found:
        click.echo("no first flight in this file")
        return
    header = ("connection", "server name", "v1", "v2", "JA4", *(("HTTP/3",) if texts else ()))
    rows = [row_of(item, texts) for item in found]
    print_columns(header, rows)


def collected(collector: FlightCollector, payloads: Iterator[bytes]) -> Iterator[Fingerprint]:
    """Fingerprints in the order in which flights complete."""
    for data in payloads:
        flight = collector.receive(data)
        item = fingerprint_flight(flight) if flight is not None else None
        if item is not None:
            yield item


def row_of(item: Fingerprint, texts: dict[bytes, str]) -> tuple[str, ...]:
    """One line of the table."""
    row = (item.connection.hex(), item.server_name or "-", item.v1.overall, item.v2.super, item.ja4.value)
    return (*row, texts.get(item.connection, "-")) if texts else row


def http3_text(flow: CapturedFlow, secrets: dict[str, dict[str, bytes]]) -> str:
    """The HTTP/3 fingerprint of a flow, or nothing."""
    if not flow.secrets and not secrets:
        return ""
    found = perk_of(flow, secrets)
    return "" if found is None else found.value


def first_cids(flow: CapturedFlow) -> set[bytes]:
    """Destination connection IDs of the client's long headers."""
    cids: set[bytes] = set()
    for data in flow.client_payloads:
        try:
            cids.add(parse_long_header(data).destination_cid)
        except DecodeError:
            continue
    return cids


def watch(collector: FlightCollector, host: str, port: int, as_json: bool, count: int | None) -> None:
    """Print each connection as its first flight completes, until interrupted."""
    seen = 0
    try:
        for item in collected(collector, datagrams_at(host, port)):
            if as_json:
                click.echo(json.dumps(item.record))
            else:
                click.echo(f"{item.connection.hex()}  {item.server_name or '-'}")
                click.echo(f"  v1   {item.v1.overall}\n  v2   {item.v2.super}\n  JA4  {item.ja4.value}")
            seen += 1
            if seen == count:
                return
    except OSError as error:
        raise Failure(f"port {port}: {one_line(error)}") from None
    except KeyboardInterrupt:
        return
