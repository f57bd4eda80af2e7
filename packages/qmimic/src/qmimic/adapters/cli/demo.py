"""`qmimic demo`: the main job with nothing prepared.

An HTTP/3 server on the loopback, a page fetched from it as Chrome, and the flight that left beside what captures of
the real client say.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qhttp3.adapters.asgi import serve_asgi
from qmimic.catalog import profile
from qmimic.catalog.references import FRESH, Reference
from qmimic.client import Client
from qmimic.errors import MimicError
from qmimic.fingerprint import Fingerprint, fingerprint
from qmimic.profile import ClientProfile
from qtls.adapters.self_signed import make_certificate
from qtls.config import ServerTLS

from .errors import Failure, one_line
from .picture import flight_picture
from .tap import LOOPBACK, Tap, tapped

HOST = "localhost"
PAGE = (
    b"<!doctype html><title>uQUIC for Python</title><p>Fetched over HTTP/3, with Chrome's own first flight.\n"
)
PLAIN_WIDTH = 140


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the visit gave."""

    status: int
    body: bytes
    alpn: str | None
    cipher_suite: str | None
    group: str | None
    tap: Tap


@dataclass(frozen=True, slots=True)
class Line:
    """One thing compared: what left, what captures have."""

    what: str
    ours: str
    reference: str
    agrees: bool


@click.command("demo")
def demo_command() -> None:
    """Fetch a page as Chrome from a server of our own, and hold the flight that left against real ones."""
    chrome = profile("chrome")
    reference = FRESH[chrome.name]
    try:
        fetched = asyncio.run(visit(chrome))
    except (OSError, RuntimeError, MimicError) as error:
        raise Failure(f"demo: {one_line(error)}") from None
    flight = fetched.tap.first_flight
    found = fingerprint(flight)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    print_visit(console, chrome, fetched)
    console.print()
    has_colours = console.color_system is not None
    picture = flight_picture(
        flight, console.width, title="The first flight that left", has_colours=has_colours
    )
    console.print(picture)
    console.print()
    lines = compare(flight, found, reference)
    console.print(comparison(lines, chrome))
    console.print(Text(f"reference: {reference.provenance}", style="dim"))
    page_arrived = (fetched.status, fetched.body) == (200, PAGE)
    agrees = page_arrived and all(line.agrees for line in lines)
    console.print(verdict(agrees, page_arrived, chrome))
    sys.exit(0 if agrees else 1)


async def visit(chrome: ClientProfile) -> Fetched:
    """Start the server, put the tap in front, fetch the page."""
    made = make_certificate((HOST, LOOPBACK))
    tls = ServerTLS(certs=made.chain, alpn=("h3",))
    async with (
        serve_asgi(page_app, (LOOPBACK, 0), tls=tls, alt_svc=False) as server,
        tapped(server.addresses[0][1]) as tap,
        Client(chrome, ca=made.ca_pem, resolve={(HOST, tap.port): (LOOPBACK, tap.port)}) as client,
    ):
        response = await client.request("GET", f"https://{HOST}:{tap.port}/")
        body = await response.read()
        info = response.connection.info
        return Fetched(response.status, body, info.alpn, info.cipher_suite, info.group, tap)


async def page_app(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application that is fetched from."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(PAGE))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


def compare(flight: Sequence[bytes], found: Sequence[Fingerprint], reference: Reference) -> list[Line]:
    """The flight that left against the reference, line by line."""
    sizes = tuple(len(data) for data in flight)
    lines = [
        Line(
            "datagrams",
            joined(sizes),
            joined(reference.datagram_sizes[4]),
            sizes == reference.datagram_sizes[4],
        )
    ]
    if len(found) != 1:
        lines.append(Line("first flight", f"{len(found)} recognised", "1", False))
        return lines
    [item] = found
    numbers = tuple((packet.packet_number, packet.packet_number_size) for packet in item.flight.packets)
    lines.append(
        Line(
            "packet numbers (bytes)",
            joined(f"{number} ({size})" for number, size in numbers),
            joined(f"{number} ({size})" for number, size in reference.packet_numbers),
            numbers == reference.packet_numbers,
        )
    )
    for what, ours, values in (
        ("v1", item.v1.overall, reference.v1),
        ("v2", item.v2.super, reference.v2),
        ("JA4", item.ja4.value, reference.ja4),
    ):
        lines.append(Line(what, ours, joined(sorted(values)), ours in values))
    return lines


def joined(values: Iterable[object]) -> str:
    return " + ".join(str(value) for value in values)


def print_visit(console: Console, chrome: ClientProfile, fetched: Fetched) -> None:
    """What was fetched and how."""
    count = len(fetched.tap.datagrams)
    console.print(
        Text.assemble(
            ("Fetched ", ""),
            (f"https://{HOST}:{fetched.tap.port}/", "bold"),
            (
                f" as {chrome.client} {chrome.version}: status {fetched.status}, {len(fetched.body)} bytes, ",
                "",
            ),
            (f"{fetched.alpn}, {fetched.cipher_suite}, {fetched.group}, {count} datagrams", ""),
        )
    )


def comparison(lines: Sequence[Line], chrome: ClientProfile) -> Table:
    """The comparison as a table."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("", "this flight", f"{chrome.client} {chrome.version}", ""):
        table.add_column(title, overflow="fold")
    for line in lines:
        sign = Text("agrees", style="green") if line.agrees else Text("differs", style="bold red")
        table.add_row(line.what, line.ours, line.reference, sign)
    return table


def verdict(agrees: bool, page_arrived: bool, chrome: ClientProfile) -> Text:
    """The last line."""
    if agrees:
        return Text(f"This flight is one that {chrome.client} {chrome.version} sends.", style="bold green")
    if not page_arrived:
        return Text("The page did not arrive as it was served.", style="bold red")
    return Text(f"This flight is not one that {chrome.client} {chrome.version} sends.", style="bold red")
