"""`qmimic dissect`: what is in each datagram of a file."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from qmimic.capture import read_capture
from qmimic.dissection import dissect_flow, parse_key_log

from .errors import Failure, failures

SHOWN_BYTES = 16


@click.command("dissect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per connection.")
@click.option("--keylog", type=click.Path(path_type=Path), help="NSS key log of client or server.")
def dissect_command(file: Path, as_json: bool, keylog: Path | None) -> None:
    """Open every datagram of FILE as far as its keys allow: Initials always."""
    with failures():
        flows = read_capture(file)
    secrets = {}
    if keylog is not None:
        try:
            secrets = parse_key_log(keylog.read_text(encoding="ascii", errors="replace"))
        except OSError as error:
            raise Failure(f"{keylog}: {error.strerror}") from None
    dissected = [dissect_flow(flow, secrets) for flow in flows]
    if as_json:
        click.echo(json.dumps(dissected, indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    for item in dissected:
        print_flow(console, item)


def print_flow(console: Console, item: dict[str, Any]) -> None:
    """One connection, a line per packet and per frame."""
    about = " ".join(f"{key}={value}" for key, value in item["about"].items())
    console.print(Text(about or "connection", style="bold"))
    for hello in item["client_hello"]:
        print_hello(console, hello)
    for datagram in item["datagrams"]:
        side = "client" if datagram["dir"] == "c" else "server"
        style = "cyan" if side == "client" else "magenta"
        console.print(Text(f"{datagram['t']:10.3f} ms  {side}  {datagram['size']} bytes", style=style))
        for packet in datagram["packets"]:
            console.print(Text(packet_line(packet)))
            for frame in packet.get("frames", []):
                console.print(Text(frame_line(frame), style="dim"))
    console.print()


def print_hello(console: Console, hello: dict[str, Any]) -> None:
    """A ClientHello in four lines."""
    extensions = ", ".join(entry["name"] for entry in hello["extensions"])
    shares = ", ".join(f"{entry['group']} ({entry['size']})" for entry in hello["key_shares"])
    parameters = ", ".join(
        f"{entry['name']}={shortened(entry['value'])}" for entry in hello["transport_parameters"] or []
    )
    console.print(
        Text(f"  ClientHello for {hello['server_name'] or 'no name'}: {', '.join(hello['cipher_suites'])}")
    )
    console.print(Text(f"    extensions: {extensions}", style="dim"))
    console.print(Text(f"    key shares: {shares}", style="dim"))
    console.print(Text(f"    transport parameters: {parameters}", style="dim"))


def packet_line(packet: dict[str, Any]) -> str:
    """Type, number, identifiers, size, and what is wrong with it."""
    parts = [f"    {packet['type'] or 'no packet'}"]
    if "number" in packet:
        parts.append(f"#{packet['number']} in {packet['number_size']}")
    if packet.get("dcid"):
        parts.append(f"dcid={packet['dcid']}")
    if packet.get("scid"):
        parts.append(f"scid={packet['scid']}")
    if "token" in packet:
        parts.append(f"token={shortened(packet['token'])}")
    parts.append(f"{packet['size']} bytes")
    if "versions" in packet:
        parts.append(", ".join(packet["versions"]))
    if "note" in packet:
        parts.append(f"({packet['note']})")
    return " ".join(parts)


def frame_line(frame: dict[str, Any]) -> str:
    """A frame's name and fields, long values cut."""
    fields = " ".join(f"{name}={shortened(value)}" for name, value in frame.items() if name != "frame")
    return f"      {frame['frame']} {fields}".rstrip()


def shortened(value: Any) -> str:
    """A value as text; of long bytes the beginning and their number."""
    text = str(value)
    if isinstance(value, str) and len(text) > 2 * SHOWN_BYTES:
        return f"{text[: 2 * SHOWN_BYTES]}… ({len(text) // 2} bytes)"
    return text or "-"
