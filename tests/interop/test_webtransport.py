"""WebTransport of our server with browsers, and of both our sides with aioquic, which speaks draft -02."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DatagramReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

from qhttp3 import Client, WebTransportSession, serve_webtransport
from qhttp3.aio.server import Request
from qtls import ClientTLS, ServerTLS
from qtls.adapters.files import load_certificate_chain

from .certificates import Certificates
from .conftest import chromium_command, needed
from .test_tls_firefox import PREFERENCES

TIME = 90.0
SIZE = 200_000
PAGE = b"""<!doctype html><title>sessions</title><script type="module">
const all = async (readable) => new Uint8Array(await new Response(readable).arrayBuffer());
const say = async (writable, data) => { const w = writable.getWriter(); await w.write(data); await w.close(); };
const tell = {};
try {
  const session = new WebTransport(location.origin + "/session?x=1");
  await session.ready;
  const bytes = new Uint8Array(SIZE).map((_, index) => index % 251);
  const same = (data) => data.length === bytes.length && data.every((byte, index) => byte === bytes[index]);

  const stream = await session.createBidirectionalStream();
  const echoed = all(stream.readable);
  await say(stream.writable, bytes);
  tell.bidirectional = same(await echoed);

  await say(await session.createUnidirectionalStream(), bytes);
  const incoming = session.incomingUnidirectionalStreams.getReader();
  tell.unidirectional = same(await all((await incoming.read()).value));

  const opened = (await session.incomingBidirectionalStreams.getReader().read()).value;
  tell.greeting = new TextDecoder().decode(await all(opened.readable));
  await say(opened.writable, new TextEncoder().encode("thanks"));

  const writable = session.datagrams.writable ?? session.datagrams.createWritable();
  const sender = writable.getWriter();
  const datagrams = session.datagrams.readable.getReader();
  const timer = setInterval(() => sender.write(new Uint8Array([1, 2, 3])), 50);
  tell.datagram = Array.from((await datagrams.read()).value);
  clearInterval(timer);

  const stopped = (await session.createBidirectionalStream()).writable.getWriter();
  await stopped.write(new TextEncoder().encode("stop!"));
  try { await stopped.closed; } catch (error) { tell.stopped = error.streamErrorCode; }

  const reset = await session.createBidirectionalStream();
  await reset.writable.getWriter().write(new TextEncoder().encode("reset"));
  try { await reset.readable.getReader().read(); } catch (error) { tell.reset = error.streamErrorCode ?? String(error); }

  // Its own end races with that of the session.
  say((await session.createBidirectionalStream()).writable, new TextEncoder().encode("close")).catch(() => {});
  const info = await session.closed;
  tell.closed = [info.closeCode, info.reason];
} catch (error) { tell.error = String(error); }
await fetch("/told", {method: "POST", body: JSON.stringify(tell)});
</script>""".replace(b"SIZE", b"%d" % SIZE)
TOLD = {
    "bidirectional": True,
    "unidirectional": True,
    "greeting": "welcome",
    "datagram": [1, 2, 3],
    "stopped": 9,
    "reset": 8,
    "closed": [77, "enough"],
}


async def talk(session: WebTransportSession) -> None:
    """What the page expects of its server."""
    request = session.request
    assert request is not None
    assert b"/session?x=1" == request.path

    async def answer_streams() -> None:
        async for stream in session.streams():
            first = await stream.read(5)
            if first == b"stop!":
                stream.stop(9)
            elif first == b"reset":
                stream.reset(8)
            elif first == b"close":
                await session.close(77, "enough")
            else:
                await stream.write(first + await stream.read())
                await stream.finish()

    async def answer_uni_streams() -> None:
        async for incoming in session.uni_streams():
            data = await incoming.read()
            answer = await session.open_uni()
            await answer.write(data)
            await answer.finish()

    async def answer_datagrams() -> None:
        async for data in session.datagrams():
            await session.send_datagram(data)

    async def greet() -> None:
        stream = await session.open_stream()
        await stream.write(b"welcome")
        await stream.finish()
        assert b"thanks" == await stream.read()

    async with asyncio.TaskGroup() as group:
        for each in (answer_streams, answer_uni_streams, answer_datagrams, greet):
            group.create_task(each())


def told_by(certificates: Certificates, command: Callable[[int], list[str | Path]]) -> dict[str, Any]:
    """Serve the page, start a browser on it, and give what its script reports."""
    told: asyncio.Future[dict[str, Any]]

    async def take(request: Request) -> None:
        if request.path == b"/told":
            pieces = [piece async for piece in _pieces(request)]
            await request.respond(204)
            if not told.done():
                told.set_result(json.loads(b"".join(pieces)))
        else:
            found = request.path == b"/"
            await request.respond(
                200 if found else 404, [(b"content-type", b"text/html")], PAGE if found else b""
            )
        request.finish()

    tasks: set[asyncio.Task[None]] = set()

    def on_request(request: Request) -> None:
        tasks.add(asyncio.create_task(take(request)))

    async def main() -> dict[str, Any]:
        nonlocal told
        told = asyncio.get_running_loop().create_future()
        chain = load_certificate_chain(certificates.chain, certificates.key)
        async with serve_webtransport(
            talk, ("127.0.0.1", 0), tls=ServerTLS(certs=(chain,)), on_request=on_request, drain=0
        ) as server:
            process = await asyncio.create_subprocess_exec(
                *command(server.addresses[0][1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                return await told
            finally:
                process.kill()
                await process.wait()

    return asyncio.run(asyncio.wait_for(main(), TIME))


async def _pieces(request: Request) -> Any:
    while piece := await request.read():
        yield piece


@pytest.mark.peer
@pytest.mark.browser
def test_chromium_has_a_session(certificates: Certificates, tmp_path: Path) -> None:
    chromium = chromium_command(certificates, tmp_path / "profile")

    def command(port: int) -> list[str | Path]:
        return [*chromium(port), f"https://127.0.0.1:{port}/"]

    assert TOLD == told_by(certificates, command)


@pytest.mark.peer
@pytest.mark.browser
def test_firefox_has_a_session(certificates: Certificates, tmp_path: Path) -> None:
    firefox, certutil = needed("firefox-esr", "firefox"), needed("certutil")
    profile = tmp_path / "profile"
    profile.mkdir()
    trusted = ["-A", "-n", "tests", "-t", "C,,", "-i", str(certificates.authority)]
    for arguments in (["-N", "--empty-password"], trusted):
        subprocess.run([certutil, *arguments, "-d", f"sql:{profile}"], check=True, capture_output=True)

    def command(port: int) -> list[str | Path]:
        (profile / "user.js").write_text(PREFERENCES.format(port=port))
        return [firefox, "--headless", "--no-remote", "--profile", profile, f"https://localhost:{port}/"]

    # It knows the code, and does not tell it to readers of a stream.
    assert TOLD | {"reset": "TypeError: Error in input stream"} == told_by(certificates, command)


class AioquicSide(QuicConnectionProtocol):
    """Sends back what comes on streams and in datagrams; or, as a client, keeps it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: H3Connection | None = None
        self.statuses: asyncio.Queue[bytes] = asyncio.Queue()
        self.received: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.pieces: dict[int, bytes] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=True)
        if self.http is None:
            return
        for each in self.http.handle_event(event):
            self.take(self.http, each)

    def take(self, http: H3Connection, event: object) -> None:
        is_client = self._quic.configuration.is_client
        if isinstance(event, HeadersReceived):
            fields = dict(event.headers)
            if is_client:
                self.statuses.put_nowait(fields[b":status"])
            else:
                assert (b"CONNECT", b"webtransport") == (fields[b":method"], fields[b":protocol"])
                answer = [(b":status", b"200"), (b"sec-webtransport-http3-draft", b"draft02")]
                http.send_headers(event.stream_id, answer)
        elif isinstance(event, DatagramReceived):
            if is_client:
                self.received.put_nowait(("datagram", event.data))
            else:
                http.send_datagram(event.stream_id, event.data)
        elif isinstance(event, WebTransportStreamDataReceived):
            data = self.pieces.pop(event.stream_id, b"") + event.data
            if not event.stream_ended:
                self.pieces[event.stream_id] = data
            elif is_client:
                self.received.put_nowait(("uni" if event.stream_id & 2 else "bidi", data))
            else:
                stream_id = event.stream_id
                if stream_id & 2:
                    stream_id = http.create_webtransport_stream(event.session_id, is_unidirectional=True)
                self._quic.send_stream_data(stream_id, data, end_stream=True)
        self.transmit()


def aioquic_configuration(certificates: Certificates, *, is_client: bool) -> QuicConfiguration:
    config = QuicConfiguration(is_client=is_client, alpn_protocols=["h3"], max_datagram_frame_size=65536)
    if is_client:
        config.load_verify_locations(str(certificates.authority))
    else:
        config.load_cert_chain(certificates.chain, certificates.key)
    return config


@pytest.mark.peer
def test_our_client_has_a_session_with_aioquic(certificates: Certificates) -> None:
    async def main() -> None:
        config = aioquic_configuration(certificates, is_client=False)
        server = await serve("127.0.0.1", 0, configuration=config, create_protocol=AioquicSide)
        port = server._transport.get_extra_info("sockname")[1]  # type: ignore[union-attr]
        tls = ClientTLS(ca=certificates.authority.read_bytes())
        async with (
            Client(tls=tls) as client,
            client.webtransport(f"https://127.0.0.1:{port}/session") as session,
        ):
            stream = await session.open_stream()
            await stream.write(b"b" * SIZE)
            await stream.finish()
            assert b"b" * SIZE == await stream.read()
            uni = await session.open_uni()
            await uni.write(b"u" * 1000)
            await uni.finish()
            assert b"u" * 1000 == await (await anext(session.uni_streams())).read()
            await session.send_datagram(b"d")
            assert b"d" == await anext(session.datagrams())
        server.close()

    asyncio.run(asyncio.wait_for(main(), TIME))


@pytest.mark.peer
def test_aioquics_client_has_a_session_with_us(certificates: Certificates) -> None:
    async def main() -> None:
        chain = load_certificate_chain(certificates.chain, certificates.key)
        config = aioquic_configuration(certificates, is_client=True)
        async with (
            serve_webtransport(talk, ("127.0.0.1", 0), tls=ServerTLS(certs=(chain,)), drain=0) as server,
            connect(
                "127.0.0.1", server.addresses[0][1], configuration=config, create_protocol=AioquicSide
            ) as client,
        ):
            assert isinstance(client, AioquicSide)
            http = client.http
            assert http is not None
            session_id = client._quic.get_next_available_stream_id()
            http.send_headers(
                session_id,
                [
                    (b":method", b"CONNECT"),
                    (b":scheme", b"https"),
                    (b":authority", b"127.0.0.1"),
                    (b":path", b"/session?x=1"),
                    (b":protocol", b"webtransport"),
                    (b"sec-webtransport-http3-draft02", b"1"),
                ],
            )
            client.transmit()
            assert b"200" == await client.statuses.get()
            assert ("bidi", b"welcome") == await client.received.get()
            # Answers on bidirectional streams of its own it takes for HTTP, so that only these are tried.
            stream_id = http.create_webtransport_stream(session_id, is_unidirectional=True)
            client._quic.send_stream_data(stream_id, b"u" * SIZE, end_stream=True)
            client.transmit()
            assert ("uni", b"u" * SIZE) == await client.received.get()
            http.send_datagram(session_id, b"d")
            client.transmit()
            assert ("datagram", b"d") == await client.received.get()

    asyncio.run(asyncio.wait_for(main(), TIME))
