"""`qmimic fingerprint`: who sent the first flights in a file, or to a port."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from qmimic.capture import CapturedFlow, read_capture
from qmimic.dissection import parse_key_log, perk_of
from qmimic.fingerprint import Fingerprint, FlightCollector, canonical_order, fingerprint_flight
from qtls.adapters.self_signed import make_certificate
from qwire.errors import DecodeError
from qwire.headers import parse_long_header

from .answering import answer as answer_clients
from .columns import print_columns
from .errors import Failure, failures, one_line
from .listening import datagrams_at

#: Seconds in which the last answer still goes out.
LAST_WORDS = 0.2


@click.command("fingerprint")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="Print canonical records: a list, or one a line when listening."
)
@click.option("--raw", is_flag=True, help="Also the lists that JA4 hashes; with --json also v1 and JA4.")
@click.option("--any-pn", is_flag=True, help="Also take flights whose packet numbers start above 32.")
@click.option(
    "--keylog", type=click.Path(path_type=Path), help="Keys of the connections in FILE, for HTTP/3."
)
@click.option("--counts", is_flag=True, help="Say on standard error what became of all datagrams.")
@click.option(
    "--listen", type=click.IntRange(0, 65_535), metavar="PORT", help="Listen there instead; 0 for any port."
)
@click.option("--host", default="::", show_default=True, help="Address to listen on.")
@click.option(
    "--answer",
    is_flag=True,
    help="When listening: complete handshakes and answer requests, to see HTTP/3 too.",
)
@click.option("--count", type=click.IntRange(min=1), help="Stop listening after so many connections.")
def fingerprint_command(
    file: Path | None,
    as_json: bool,
    raw: bool,
    any_pn: bool,
    keylog: Path | None,
    counts: bool,
    listen: int | None,
    host: str,
    answer: bool,
    count: int | None,
) -> None:
    """Print v1, v2 and JA4 of each connection in FILE: pcap, pcapng or captures-jsonl.

    With --listen, of whoever sends to a UDP port: point a client there and see what it looks like. Nobody answers,
    unless --answer makes it an HTTP/3 server, whose pages tell the client what it looks like.
    """
    if answer and listen is None:
        raise click.UsageError("--answer needs --listen")
    if (file is None) is (listen is None):
        raise click.UsageError("give a FILE, or --listen PORT")
    collector = FlightCollector(any_packet_number=any_pn or listen is not None)
    if listen is not None and answer:
        serve_fingerprints(host, listen, Shown(as_json, raw), count)
    elif listen is not None:
        watch(collector, host, listen, Shown(as_json, raw), count)
    elif file is not None:
        print_file(collector, file, keylog, Shown(as_json, raw))
    if counts:
        for name, value in collector.counts.as_dict().items():
            click.echo(f"{name.replace('_', ' ')}: {value}", err=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """In which form, and how much of it."""

    as_json: bool
    raw: bool

    def record(self, item: Fingerprint, http3: str = "") -> dict[str, object]:
        """A connection as JSON."""
        record = dict(item.record)
        if self.raw:
            record |= {"v1": item.v1.overall, "ja4": item.ja4.value, "ja4_r": item.ja4.raw}
        if http3:
            record["http3"] = http3
        return record


def print_file(collector: FlightCollector, file: Path, keylog: Path | None, shown: Shown) -> None:
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
    if shown.as_json:
        records = [shown.record(item, texts.get(item.connection, "")) for item in canonical_order(found)]
        click.echo(json.dumps(records, indent=2))
        return
    if not found:
        click.echo("no first flight in this file")
        return
    header = ("connection", "server name", "v1", "v2", "JA4", *(("HTTP/3",) if texts else ()))
    rows = [row_of(item, texts) for item in found]
    print_columns(header, rows)
    for item in found if shown.raw else ():
        click.echo(f"{item.connection.hex()}  {item.ja4.raw}")


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


def watch(collector: FlightCollector, host: str, port: int, shown: Shown, count: int | None) -> None:
    """Print each connection as its first flight completes, until interrupted."""
    seen = 0
    try:
        for item in collected(collector, datagrams_at(host, port)):
            print_connection(item, "", shown)
            seen += 1
            if seen == count:
                return
    except OSError as error:
        raise Failure(f"port {port}: {one_line(error)}") from None
    except KeyboardInterrupt:
        return


def print_connection(item: Fingerprint, http3: str, shown: Shown) -> None:
    """One connection that was seen live."""
    if shown.as_json:
        click.echo(json.dumps(shown.record(item, http3)))
        return
    click.echo(f"{item.connection.hex()}  {item.server_name or '-'}")
    click.echo(f"  v1   {item.v1.overall}\n  v2   {item.v2.super}\n  JA4  {item.ja4.value}")
    if shown.raw:
        click.echo(f"  JA4_r  {item.ja4.raw}")
    if http3:
        click.echo(f"  HTTP/3  {http3}")


def serve_fingerprints(host: str, port: int, shown: Shown, count: int | None) -> None:
    """Answer clients until interrupted, or until so many have been shown."""
    names = dict.fromkeys(("localhost", "127.0.0.1", "::1", *([] if host in ("::", "0.0.0.0") else [host])))
    made = make_certificate(list(names))
    stop = asyncio.Event()
    seen = 0

    def show(item: Fingerprint, http3: str) -> None:
        nonlocal seen
        seen += 1
        print_connection(item, http3, shown)
        if seen == count:
            asyncio.get_running_loop().call_later(LAST_WORDS, stop.set)

    def ready(bound: int) -> None:
        click.echo(f"SPKI hash of the certificate: {made.spki_sha256}", err=True)
        click.echo(f"answering at https://localhost:{bound}/ on UDP port {bound}", err=True)

    try:
        asyncio.run(answer_clients(host, port, made.chain, show, ready, stop))
    except OSError as error:
        raise Failure(f"port {port}: {one_line(error)}") from None
    except KeyboardInterrupt:
        return
