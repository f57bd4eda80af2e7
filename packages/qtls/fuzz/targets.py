"""What is fuzzed: functions that take any bytes and let only the errors through that must not happen.

Deterministic, and free of atheris, so that tests replay inputs.
"""

from __future__ import annotations

import random as seeded
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qtls import CertificateChain, ClientTLS, Level, ServerTLS, cert_compression, extensions
from qtls.adapters.self_signed import Authority
from qtls.client import ClientHandshake
from qtls.constants import CHACHA20_POLY1305_SHA256, SECP256R1, X25519
from qtls.delegated_credential import parse_credential
from qtls.ech import ech_config_list, make_ech_key, parse_config_list, parse_extension, payload_range
from qtls.ech_inner import decode_inner
from qtls.ech_server import ServerEch
from qtls.errors import DecodeError, LocalAlert, PeerAlert
from qtls.events import NewSession, SendCrypto
from qtls.messages import (
    certificate_request,
    certificate_verify,
    compressed_certificate,
    encrypted_extensions,
)
from qtls.messages.certificate import Certificate
from qtls.messages.client_hello import ClientHello
from qtls.messages.new_session_ticket import NewSessionTicket
from qtls.messages.server_hello import ServerHello
from qtls.outer_parameters import reduced_parameters
from qtls.peer_certificate import PeerCertificate
from qtls.server import ServerHandshake
from qtls.server_choice import check_hello
from qtls.tickets import TicketState, open_ticket
from qtls.trust import Roots, SpkiPins
from qtls.verification import load_certificates, verify_client, verify_server

__all__ = ["TARGETS", "seeds"]

EXPECTED = (LocalAlert, PeerAlert, DecodeError)
NOW = 1_790_000_000.0
PARAMETERS = bytes.fromhex("0404800f00000f03616263110400000001")
LEVELS = (Level.INITIAL, Level.EARLY, Level.HANDSHAKE, Level.APPLICATION)


# Parsers


def client_hello(data: bytes) -> None:
    """A hello, and every body it can have."""
    hello = ClientHello(data)
    for read in (
        hello.server_name,
        hello.alpn,
        hello.versions,
        hello.groups,
        hello.signatures,
        hello.key_shares,
        hello.psk_modes,
        hello.certificate_compression,
        hello.cookie,
        hello.early_data,
        hello.offered_psks,
        hello.without_binders,
    ):
        tolerate(read)
    check_hello(hello)


def tolerate(read: Callable[[], object]) -> None:
    """Call, though it may refuse."""
    try:
        read()
    except EXPECTED:
        return


def ech(data: bytes) -> None:
    """A hello at a server with keys, and its payload as if it had been decrypted."""
    hello = ClientHello(data)
    tolerate(lambda: ServerEch((world().ech,)).open(hello))
    start, stop = payload_range(data)
    decode_inner(data[start:stop], hello)


def certificates(data: bytes) -> None:
    """A chain as if it came in a Certificate message: parsed, verified, explained."""
    verify_all((data,))


def certificate_message(data: bytes) -> None:
    """A whole Certificate body with its entries and their extensions."""
    message = Certificate.parse(data)
    if message.chain:
        peer = PeerCertificate(message, range(0x10000))
        tolerate(lambda: peer.check_proof(b"\x0f\0\0\4\4\3\0\0", b"", b"", (0x0403,), (0x0403,), NOW))
        verify_all(message.chain)


def verify_all(chain: tuple[bytes, ...]) -> None:
    """With roots, with the leaf itself trusted, with a pin, and as a client's."""
    loaded = load_certificates(chain)
    roots = world().roots
    for trust in (roots, Trusting(), SpkiPins("A" * 43 + "=")):
        tolerate(partial(verify_server, chain, loaded, "server.example", trust, NOW))
        tolerate(partial(verify_server, chain, loaded, "192.0.2.1", trust, NOW))
        tolerate(partial(verify_client, chain, loaded, trust, NOW))


class Trusting:
    """Every certificate is a root: the path that looks at the leaf alone."""

    def roots(self) -> None:
        """None, as chains are not needed."""
        return

    def trusts(self, certificate: bytes) -> bool:
        """True."""
        return True


PARSERS: tuple[Callable[[bytes], object], ...] = (
    client_hello,
    ech,
    ServerHello.parse,
    encrypted_extensions.parse,
    certificate_request.parse,
    certificate_verify.parse,
    compressed_certificate.parse,
    NewSessionTicket.parse,
    certificate_message,
    certificates,
    TicketState.parse,
    lambda data: open_ticket(data, (b"k" * 32,)),
    parse_credential,
    parse_config_list,
    parse_extension,
    reduced_parameters,
    extensions.parse,
    extensions.parse_server_name,
    extensions.parse_alpn,
    extensions.parse_client_versions,
    extensions.parse_client_shares,
    extensions.parse_server_share,
    extensions.parse_modes,
    extensions.parse_cookie,
    extensions.parse_compression,
    extensions.parse_offered_psks,
    lambda data: extensions.parse_uint16_list(data, "list"),
    lambda data: cert_compression.decompress(1, int.from_bytes(data[:3], "big"), data[3:]),
    lambda data: cert_compression.decompress(2, int.from_bytes(data[:3], "big"), data[3:]),
    lambda data: cert_compression.decompress(3, int.from_bytes(data[:3], "big"), data[3:]),
)


def parsers(data: bytes) -> None:
    """The first byte chooses the parser."""
    if data:
        parse = PARSERS[data[0] % len(PARSERS)]
        tolerate(lambda: parse(data[1:]))


# Handshakes


class World:
    """Keys and certificates that are the same in every run: Ed25519 signatures are, too."""

    def __init__(self) -> None:
        random = seeded.Random(1)
        authority = Authority("fuzz", NOW)
        keys = [Ed25519PrivateKey.from_private_bytes(random.randbytes(32)) for _ in range(3)]
        self.chain: CertificateChain = authority.issue(["server.example"], key=keys[0])
        self.public: CertificateChain = authority.issue(["public.example"], key=keys[1])
        self.own: CertificateChain = authority.issue(["client.example"], key=keys[2], client=True)
        self.roots = Roots([x509.load_pem_x509_certificate(authority.pem)])
        self.ech = make_ech_key("public.example", config_id=1, random=random.randbytes)
        self.old_ech = make_ech_key("public.example", config_id=1, random=random.randbytes)


@cache
def world() -> World:
    """The one world of a process."""
    return World()


class Scenario:
    """A handshake that works, recorded: what each side sent, message by message."""

    def __init__(self, client: dict[str, Any], server: dict[str, Any], session: Any = None) -> None:
        self.client_config = ClientTLS(
            **{"alpn": ("h3",), "ca": world().roots, "groups": (X25519, SECP256R1), **client}
        )
        self.server_config = ServerTLS(
            **{
                "certs": (world().chain, world().public),
                "alpn": ("h3",),
                "groups": (X25519,),
                "ticket_keys": (b"k" * 32,),
                "early_data": True,
                "replays": None if session is None else Forgetful(),
                **server,
            }
        )
        self.session = session
        self.sessions: list[Any] = []
        self.sent: dict[str, list[tuple[Level, bytes]]] = {"client": [], "server": []}
        ends: dict[str, Any] = {"client": self.client(), "server": self.server()}
        waiting = [("client", event) for event in ends["client"].start()]
        while waiting:
            sender, event = waiting.pop(0)
            if isinstance(event, NewSession):
                self.sessions.append(event.session)
            if not isinstance(event, SendCrypto):
                continue
            self.sent[sender] += [(event.level, each) for each in split(event.data)]
            receiver = "server" if sender == "client" else "client"
            try:
                answers = ends[receiver].receive(event.level, event.data)
            except LocalAlert:
                break
            waiting += [(receiver, answer) for answer in answers]

    def client(self) -> ClientHandshake:
        """A fresh client with the randomness of the recording."""
        return ClientHandshake(
            self.client_config,
            server_name="server.example",
            transport_parameters=PARAMETERS,
            quic_version=1,
            random=seeded.Random(2).randbytes,
            wall_clock=NOW,
            session=self.session,
            early_data=True,
        )

    def server(self) -> ServerHandshake:
        """A fresh server with the randomness of the recording."""
        return ServerHandshake(
            self.server_config,
            transport_parameters=PARAMETERS,
            quic_version=1,
            random=seeded.Random(3).randbytes,
            wall_clock=NOW,
        )


class Forgetful:
    """Takes every 0-RTT hello as new."""

    def is_new(self, binder: bytes, wall_clock: float) -> bool:
        """True."""
        return True


@cache
def scenarios() -> tuple[Scenario, ...]:
    """All of them; recorded once."""
    retry = {"groups": (SECP256R1,)}
    keys = {"ech_keys": (world().ech,)}
    certified = {"client_auth": "require", "client_ca": world().roots}
    current = {"ech": ech_config_list((world().ech,))}
    outdated = {"ech": ech_config_list((world().old_ech,))}
    first = Scenario({}, {})
    return (
        first,
        Scenario({"ech": "grease"}, {**retry, **keys}),
        Scenario({"client_cert": world().own}, certified),
        Scenario({}, {}, first.sessions[-1]),
        Scenario({}, retry, first.sessions[-1]),
        Scenario(current, keys),
        Scenario(current, {**keys, **retry}),
        Scenario(outdated, {**keys, **retry}),
        Scenario(current, keys, first.sessions[-1]),
        Scenario({"ciphers": (CHACHA20_POLY1305_SHA256,)}, {"client_auth": "request"}),
    )


def split(data: bytes) -> list[bytes]:
    """The messages in ``data``."""
    found = []
    while data:
        size = 4 + int.from_bytes(data[1:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


class Script:
    """Reads numbers and bytes of the input; zeros when there is no more."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def number(self, size: int = 1) -> int:
        """The next number."""
        return int.from_bytes(self.bytes(size), "big")

    def bytes(self, size: int) -> bytes:
        """The next bytes."""
        found = self.data[self.position : self.position + size]
        self.position += size
        return found.ljust(size, b"\0")

    def more(self) -> bool:
        """Whether there is more."""
        return self.position < len(self.data)


def edit(script: Script, flight: list[tuple[Level, bytes]]) -> list[tuple[Level, bytes]]:
    """The flight with the changes the script asks for."""
    flight = list(flight)
    for _ in range(8):
        if not script.more() or not flight:
            break
        kind = script.number() % 9
        index = script.number() % len(flight)
        level, raw = flight[index]
        if kind == 0:
            place, mask = script.number(2) % (len(raw) or 1), script.number()
            raw = raw[:place] + bytes([each ^ mask for each in raw[place : place + 1]]) + raw[place + 1 :]
        elif kind == 1:
            raw = sized(kind_of(raw), script.bytes(script.number()))
        elif kind == 2:
            raw = raw[: script.number(2) % (len(raw) or 1)]
        elif kind == 3:
            flight.insert(index, (level, raw))
        elif kind == 4:
            del flight[index]
            continue
        elif kind == 5:
            flight.insert(index, (level, sized(script.number(), script.bytes(script.number()))))
        elif kind == 6:
            level = LEVELS[script.number() % len(LEVELS)]
        elif kind == 7:
            place = 4 + script.number(2) % max(1, len(raw) - 3)
            raw = sized(kind_of(raw), raw[4:place] + script.bytes(script.number()) + raw[place:])
        else:
            start = 4 + script.number(2) % max(1, len(raw) - 3)
            raw = sized(kind_of(raw), raw[4:start] + raw[start + script.number() :])
        flight[index] = (level, raw)
    return flight


def sized(message_type: int, body: bytes) -> bytes:
    """A message whose header fits its body."""
    return bytes((message_type,)) + len(body).to_bytes(3, "big") + body


def kind_of(raw: bytes) -> int:
    """The type of a message, of which nothing may be left."""
    return raw[0] if raw else 0


def drive(data: bytes, side: str) -> None:
    """Give one side the edited messages of the other."""
    script = Script(data)
    listed = scenarios()
    scenario = listed[script.number() % len(listed)]
    step = script.number()
    handshake: Any = scenario.client() if side == "client" else scenario.server()
    if side == "client":
        handshake.start()
    flight = edit(script, scenario.sent["server" if side == "client" else "client"])
    try:
        for level, raw in flight:
            for start in range(0, len(raw), step * 16 or len(raw) or 1):
                handshake.receive(level, raw[start : start + (step * 16 or len(raw))])
        handshake.export(b"label", b"", 32)
    except EXPECTED:
        return
    except ValueError as error:
        # What ``export`` says while the handshake is not complete.
        if "before the handshake is complete" not in str(error):
            raise


def client(data: bytes) -> None:
    """A client gets what a server sent, edited."""
    drive(data, "client")


def server(data: bytes) -> None:
    """A server gets what a client sent, edited."""
    drive(data, "server")


TARGETS: dict[str, Callable[[bytes], None]] = {"parsers": parsers, "client": client, "server": server}


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with: valid messages for the parsers, unedited scenarios for the handshakes."""
    if target != "parsers":
        return [bytes((number, 0)) for number in range(len(scenarios()))]
    kinds = {1: (0, 1), 2: (2,), 8: (3,), 13: (4,), 15: (5,), 25: (6,), 4: (7,)}
    found = [bytes((9,)) + world().chain.certificates[0]]
    found.append(bytes((8,)) + Certificate(world().chain.certificates).encode_body())
    found.append(bytes((13,)) + ech_config_list((world().ech,)))
    for scenario in scenarios():
        for flight in scenario.sent.values():
            found += [bytes((number,)) + raw for _, raw in flight for number in kinds.get(raw[0], ())]
    return found
