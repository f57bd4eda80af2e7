"""`qmimic get`: one request over HTTP/3."""

import asyncio
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from qcore.aio.connection import Connection
from qcore.errors import CertificateError
from qhttp3.aio.client import Response
from qmimic.client import Client
from qmimic.content import decoded
from qmimic.dissection import parameter_objects
from qmimic.memory import Memory
from qmimic.profile import ClientProfile
from qmimic.randomness import RandomBytes, SeededBytes
from qtls import ClientTLS
from qtls.adapters.files import KeyLogFile

from .errors import Failure, one_line
from .output import Output
from .profile_option import PROFILE
from .request_options import HEADER, RESOLVE, Target, read_data, read_memory, write_memory

# Tickets come behind the response; so long they are waited for when they are to be kept.
TICKET_WAIT = 0.5
TICKET_STEP = 0.02
FIRST_ERROR_STATUS = 400


@dataclass(frozen=True)
class Asked:
    """What the command line asked for."""

    url: str
    method: str
    headers: list[tuple[str, str]]
    data: bytes | None
    as_json: bool
    keep: bool


@click.command("get")
@click.argument("url")
@click.option(
    "--as", "profile", type=PROFILE, default="chrome", show_default=True, help="Profile, or TOML file."
)
@click.option("-H", "--header", "headers", type=HEADER, multiple=True, metavar="NAME:VALUE")
@click.option("-X", "--method", help="GET, or POST with -d.")
@click.option("-d", "--data", help="Body of the request; @FILE for the content of a file.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File for the body.")
@click.option("--ca", type=click.Path(path_type=Path, exists=True), help="Certificates to trust, PEM.")
@click.option("--insecure", is_flag=True, help="Take any certificate.")
@click.option("--resolve", "targets", type=RESOLVE, multiple=True, metavar="HOST:PORT:ADDR")
@click.option("--qlog", type=click.Path(path_type=Path, file_okay=False), help="Folder for qlog traces.")
@click.option("--keylog", type=click.Path(path_type=Path, dir_okay=False), help="File for TLS secrets.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print status, headers, timings and what was negotiated."
)
@click.option(
    "--seed", type=int, help="Repeat the flight of this number. Keys follow from it: not for secrets."
)
@click.option(
    "--session", type=click.Path(path_type=Path, dir_okay=False), help="File that keeps tickets and tokens."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="Seconds."
)
def get_command(
    url: str,
    profile: ClientProfile,
    headers: tuple[tuple[str, str], ...],
    method: str | None,
    data: str | None,
    output: Path | None,
    ca: Path | None,
    insecure: bool,
    targets: tuple[Target, ...],
    qlog: Path | None,
    keylog: Path | None,
    as_json: bool,
    seed: int | None,
    session: Path | None,
    timeout: float,
) -> None:
    """Fetch URL as the client of a profile; the body goes to standard output or a file."""
    check_url(url)
    check_trust(ca)
    body = None if data is None else read_data(data)
    asked = Asked(
        url=url,
        method=method or ("GET" if body is None else "POST"),
        headers=with_content_type(headers, body),
        data=body,
        as_json=as_json,
        keep=session is not None,
    )
    memory = read_memory(session)
    random: RandomBytes = secrets.token_bytes if seed is None else SeededBytes(seed)
    if qlog is not None:
        make_folder(qlog)
    try:
        client_options: dict[str, Any] = {
            "memory": memory,
            "random": random,
            "timeout": timeout,
            "verify": not insecure,
            "ca": ca,
            "keylog": None if keylog is None else KeyLogFile(keylog),
            "qlog": None if qlog is None else str(qlog),
            "resolve": dict(targets),
        }
        with Output(output, is_silent=as_json and output is None) as target:
            status = asyncio.run(fetch(asked, profile, client_options, target))
    except TimeoutError as error:
        raise Failure(
            f"{url}: {one_line(error) if str(error) else f'no answer within {timeout:g} seconds'}"
        ) from None
    except CertificateError as error:
        raise Failure(f"{url}: certificate not accepted: {one_line(error)}") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise Failure(f"{url}: {one_line(error)}") from None
    finally:
        if session is not None:
            write_memory(session, memory)
    if status >= FIRST_ERROR_STATUS:
        raise Failure(f"{url}: the server answered with status {status}")


def check_url(url: str) -> None:
    """Refuse what is not a URL of https."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise click.BadParameter(f"{url!r} is not an https URL", param_hint="URL")


def check_trust(ca: Path | None) -> None:
    """Refuse a file without certificates."""
    if ca is None:
        return
    try:
        ClientTLS(ca=ca).trust_store()
    except OSError as error:
        raise Failure(f"{ca}: {one_line(error)}") from None
    except ValueError:
        raise click.BadParameter(f"{ca}: no certificates in it", param_hint="--ca") from None


def with_content_type(headers: tuple[tuple[str, str], ...], body: bytes | None) -> list[tuple[str, str]]:
    """The headers given, and the type of a body that has none."""
    fields = list(headers)
    if body is not None and all(name.lower() != "content-type" for name, _ in fields):
        fields.append(("content-type", "application/x-www-form-urlencoded"))
    return fields


def make_folder(path: Path) -> None:
    """Make a folder for traces."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


async def fetch(asked: Asked, profile: ClientProfile, options: dict[str, Any], target: Output) -> int:
    """Send the request and put the body where it belongs; returns the status."""
    started = time.perf_counter()
    async with Client(profile, **options) as client:
        response = await client.request(
            asked.method,
            asked.url,
            headers=asked.headers,
            content=asked.data,
            early=asked.keep and asked.method == "GET",
        )
        head = time.perf_counter() - started
        length = response.headers.get("content-length", "")
        is_coded = response.headers.get("content-encoding") is not None
        total = int(length) if length and length.isdigit() and not is_coded else None
        target.begin(urlsplit(asked.url).path.rpartition("/")[2] or asked.url, total)
        async for piece in decoded(response):
            target.write(piece)
        target.finish()
        timings = {"head": head, "total": time.perf_counter() - started}
        if asked.keep:
            await wait_for_ticket(client.memory, asked.url)
        if asked.as_json:
            handshake = client.dialer.handshake_time
            print_report(response, profile, {"handshake": handshake, **timings}, target)
        return response.status


async def wait_for_ticket(memory: Memory, url: str) -> None:
    """Give the server a moment to hand out what is kept for the next connection."""
    parts = urlsplit(url)
    origin = memory.origin(f"{parts.hostname}:{parts.port or 443}")
    waited = 0.0
    while not origin.sessions and waited < TICKET_WAIT:
        await asyncio.sleep(TICKET_STEP)
        waited += TICKET_STEP


def print_report(
    response: Response, profile: ClientProfile, timings: dict[str, float | None], target: Output
) -> None:
    """What `--json` prints."""
    report = {
        "url": response.url,
        "profile": profile.name,
        "status": response.status,
        "headers": list(response.headers),
        "informational": [
            {"status": item.status, "headers": list(item.headers)} for item in response.informational
        ],
        "trailers": list(response.trailers),
        "timings": timings,
        "connection": connection_object(response.connection),
        "body": {"size": target.size, "sha256": target.sha256},
    }
    click.echo(json.dumps(report, indent=2))


def connection_object(connection: Connection) -> dict[str, Any]:
    """What the two sides agreed on."""
    info, stats = connection.info, connection.stats()
    parameters = info.peer_parameters
    return {
        "address": list(connection.address[:2]),
        "alpn": info.alpn,
        "version": f"0x{info.version:08x}",
        "cipher_suite": info.cipher_suite,
        "group": info.group,
        "resumed": info.resumed,
        "early_data_accepted": info.early_accepted,
        "rtt": stats.smoothed_rtt,
        "packets_lost": stats.packets_lost,
        "peer_parameters": None if parameters is None else parameter_objects(parameters.encode()),
    }
