"""`qmimic serve`: files, or an ASGI application, over HTTP/3."""

import asyncio
import importlib
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from qcore.admission import always_retry
from qcore.config import QuicConfig
from qhttp3.adapters.asgi import serve_asgi
from qhttp3.adapters.files import FileServer
from qtls.config import ServerTLS

from .errors import Failure, one_line
from .gets import make_folder
from .serving import Identity, load_identity, make_identity

DEFAULT_PORT = 4433
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@click.command("serve")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path), required=False)
@click.option("--app", metavar="MODULE:APP", help="ASGI application, looked for in DIR first.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; :: takes IPv4 as well.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 for a free one.",
)
@click.option("--cert", type=click.Path(path_type=Path, dir_okay=False), help="Chain in PEM, leaf first.")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="Private key in PEM.")
@click.option("--retry", is_flag=True, help="Have every client prove its address first.")
@click.option("--qlog", type=click.Path(path_type=Path, file_okay=False), help="Folder for qlog traces.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that share the port.",
)
def serve_command(
    folder: Path | None,
    app: str | None,
    host: str,
    port: int,
    cert: Path | None,
    key: Path | None,
    retry: bool,
    qlog: Path | None,
    workers: int,
) -> None:
    """Serve the files in DIR, or an ASGI application, over HTTP/3."""
    if folder is None and app is None:
        raise click.UsageError("give a DIR, or --app MODULE:APP")
    if key is not None and cert is None:
        raise click.UsageError("--key needs --cert")
    if qlog is not None:
        make_folder(qlog)
    folder = folder or Path()
    application = load_app(app, folder) if app else file_server(folder)
    with ExitStack() as stack:
        if cert is not None:
            identity = load_identity(cert, key)
        else:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qmimic-")))
            names = list(dict.fromkeys((*LOOPBACK_NAMES, *([] if host in ("::", "0.0.0.0") else [host]))))
            identity = make_identity(names, place)
        try:
            asyncio.run(
                run(application, (host, port), identity, retry, None if qlog is None else str(qlog), workers)
            )
        except OSError as error:
            raise Failure(f"{host} port {port}: {error.strerror or one_line(error)}") from None


def file_server(folder: Path) -> FileServer:
    """The application that serves a folder."""
    try:
        return FileServer(folder)
    except OSError as error:
        raise click.BadParameter(f"{folder}: {error.strerror or 'not a folder'}", param_hint="DIR") from None


def load_app(name: str, folder: Path) -> Any:
    """Import an application."""
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise click.BadParameter(f"{name!r} is not MODULE:APP", param_hint="--app")
    sys.path.insert(0, str(folder.resolve()))
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise Failure(f"{name}: {one_line(error)}") from None
    return found


async def run(
    application: Any, local: tuple[str, int], identity: Identity, retry: bool, qlog: str | None, workers: int
) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tls = ServerTLS(certs=identity.chain, alpn=("h3",), early_data=True)
    config = QuicConfig(qlog=qlog)
    admit = always_retry if retry else None
    async with serve_asgi(application, local, tls=tls, config=config, admit=admit, workers=workers) as server:
        for address in server.addresses:
            name = f"[{address[0]}]" if ":" in address[0] else address[0]
            click.echo(f"serving https://{name}:{address[1]}/")
        if identity.authority is not None:
            click.echo(f"certificate authority: {identity.authority}")
            click.echo(f"SPKI hash: {identity.spki_sha256}")
        sys.stdout.flush()
        await stop.wait()
