"""The server's handshake.

Answers a ClientHello, proves who it is, authenticates the client if asked to, hands out tickets. RFC 8446 §4 and
§A.2, RFC 9001 §4 and §8.
"""

from __future__ import annotations

from collections.abc import Callable

from . import cert_compression, extensions
from .client_hello import DEFAULT_SIGNATURES
from .codec import uint16_list, vector8, vector16
from .config import ServerTLS
from .constants import (
    CERTIFICATE_REQUIRED,
    CERTIFICATE_VERIFY,
    CLIENT_HELLO,
    ENCRYPTED_EXTENSIONS,
    EXT_ALPN,
    EXT_ALPS,
    EXT_ALPS_OLD,
    EXT_COMPRESS_CERTIFICATE,
    EXT_COOKIE,
    EXT_EARLY_DATA,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_KEY_SHARE,
    EXT_PRE_SHARED_KEY,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    EXT_SERVER_NAME,
    EXT_SIGNATURE_ALGORITHMS,
    EXT_SUPPORTED_VERSIONS,
    FINISHED,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    TLS_1_3,
    UNSUPPORTED_EXTENSION,
    Level,
)
from .ech_server import RETRY_PLACE, ServerEch
from .errors import LocalAlert
from .events import ClientHelloReceived, EarlyData, HandshakeDone, PeerParameters, SendCrypto, TlsInfo
from .extensions import Extension
from .handshake import LOG_CLIENT_EARLY, Handshake
from .key_exchange import respond
from .key_schedule import KeySchedule
from .messages import certificate_request, encrypted_extensions
from .messages.client_hello import ClientHello
from .messages.new_session_ticket import EARLY_DATA, MAX_LIFETIME, NewSessionTicket
from .messages.server_hello import RETRY_RANDOM, ServerHello
from .own_certificate import encode_chain, prove
from .packet_keys import suite_parameters
from .peer_certificate import PeerCertificate, open_certificate
from .protection import opener_from_secret
from .server_choice import (
    Resumption,
    check_hello,
    check_second_hello,
    choose_alpn,
    choose_chain,
    choose_group,
    choose_suite,
)
from .server_states import SERVER_ACCEPTS, SERVER_LEVELS, ServerInput, ServerState, advance_server, refuse
from .signatures import CLIENT_CONTEXT, SERVER_CONTEXT
from .tickets import TicketState, seal_ticket
from .verification import load_certificates, verify_client

__all__ = ["ServerHandshake"]

SUPPORTED_VERSIONS_BODY = TLS_1_3.to_bytes(2, "big")
COOKIE_SIZE = 16


class ServerHandshake(Handshake):
    """One server handshake without I/O.

    ``transport_parameters`` is the encoded body of the extension, or a function that makes it out of the client's; the
    function may call ``set_version``. ``early_parameters`` gets the own parameters a ticket was issued with and the
    present ones, and says whether 0-RTT may still be taken with them (RFC 9000 §7.4.1). ``wall_clock`` is Unix time.
    """

    __slots__ = (
        "_alpn",
        "_config",
        "_cookie",
        "_early_accepted",
        "_early_parameters",
        "_ech",
        "_first_hello",
        "_group",
        "_make_parameters",
        "_parameters",
        "_peer",
        "_peer_settings",
        "_resumption",
        "_scheme",
        "_server_name",
        "_settings_extension",
        "_state",
        "_wants_tickets",
        "client_hello",
    )

    def __init__(
        self,
        config: ServerTLS,
        *,
        transport_parameters: bytes | Callable[[bytes], bytes],
        quic_version: int,
        random: Callable[[int], bytes],
        wall_clock: float,
        early_parameters: Callable[[bytes, bytes], bool] | None = None,
    ) -> None:
        super().__init__(quic_version, random, wall_clock, config.keylog)
        self._config = config
        self._make_parameters = transport_parameters
        self._early_parameters = early_parameters
        self._parameters = b""
        self._state = ServerState.WAIT_CLIENT_HELLO
        self._first_hello: ClientHello | None = None
        self._cookie: bytes | None = None
        self._ech = ServerEch(config.ech_keys)
        self._server_name: str | None = None
        self._alpn: str | None = None
        self._group = 0
        self._resumption: Resumption | None = None
        self._early_accepted = False
        self._wants_tickets = False
        self._scheme: int | None = None
        self._settings_extension = 0
        self._peer_settings: bytes | None = None
        self._peer: PeerCertificate | None = None
        self.client_hello = b""

    @property
    def state(self) -> ServerState:
        """Where the handshake is."""
        return self._state

    def _level(self) -> Level:
        return SERVER_LEVELS[self._state]

    def _handle(self, message_type: int, raw: bytes) -> None:
        if message_type not in SERVER_ACCEPTS[self._state]:
            raise refuse(message_type, self._state)
        if message_type == CLIENT_HELLO:
            self._on_client_hello(ClientHello(raw))
        elif message_type == ENCRYPTED_EXTENSIONS:
            self._on_settings(raw)
        elif message_type == CERTIFICATE_VERIFY:
            self._on_certificate_verify(raw)
        elif message_type == FINISHED:
            self._on_finished(raw)
        else:
            self._on_certificate(raw)

    # ClientHello

    def _on_client_hello(self, outer: ClientHello) -> None:
        first = self._first_hello
        hello = self._ech.open(outer) if first is None else self._ech.open_second(outer)
        peer_parameters = check_hello(hello)
        server_name, offered = hello.server_name(), hello.alpn()
        if first is None:
            self._log_random = hello.random.hex()
            self._server_name = server_name
            self._events.append(ClientHelloReceived(server_name, offered, hello.raw))
            if self._config.select is not None:
                self._config = self._config.select(server_name, offered, hello.raw) or self._config
                self._keylog = self._config.keylog
        self.client_hello = hello.raw
        self._suite = choose_suite(self._config, hello)
        if first is None:
            self._transcript.choose(suite_parameters(self._suite).hash_name)
        self._group, share = choose_group(self._config, hello)
        if first is not None:
            check_second_hello(first, hello, self._group, self._cookie)
        elif share is None:
            self._send_retry(hello)
            return
        if share is None:
            raise LocalAlert(ILLEGAL_PARAMETER, "the second ClientHello has no share of the group asked for")
        self._alpn = choose_alpn(self._config, hello)
        self._events.append(PeerParameters(peer_parameters))
        made = self._make_parameters
        self._parameters = made if isinstance(made, bytes) else made(peer_parameters)
        self._answer(hello, share)

    def _send_retry(self, hello: ClientHello) -> None:
        """HelloRetryRequest for the chosen group, RFC 8446 §4.1.4."""
        entries: list[Extension] = [
            (EXT_SUPPORTED_VERSIONS, SUPPORTED_VERSIONS_BODY),
            (EXT_KEY_SHARE, self._group.to_bytes(2, "big")),
        ]
        if self._config.retry_cookie:
            self._cookie = self._random(COOKIE_SIZE)
            entries.append((EXT_COOKIE, vector16(self._cookie)))
        if self._ech.is_accepted:
            entries.append(RETRY_PLACE)
        retry = ServerHello(RETRY_RANDOM, hello.session_id, self._suite, tuple(entries)).encode()
        transcript = self._transcript
        transcript.add(hello.raw)
        transcript.replace_first_hello()
        if self._ech.is_accepted:
            retry = self._ech.confirm_retry(retry, hello, transcript.hash_name, transcript)
        transcript.add(retry)
        self._first_hello = hello
        self._events.append(SendCrypto(Level.INITIAL, retry))
        self._state = advance_server(self._state, ServerInput.RETRY_SENT)

    def _answer(self, hello: ClientHello, share: bytes) -> None:
        config = self._config
        resumption = Resumption.find(
            config, hello, self._suite, self._first_version, self._transcript, self.wall_clock
        )
        if resumption is not None and resumption.state.client_certificates:
            if config.client_auth == "none":
                resumption = None
            else:
                stored = resumption.state.client_certificates
                verify_client(stored, load_certificates(stored), config.client_trust(), self.wall_clock)
        self._resumption = resumption
        early_offered = hello.early_data()
        self._early_accepted = early_offered and self._takes_early_data(resumption)
        hash_name = suite_parameters(self._suite).hash_name
        schedule = KeySchedule(hash_name) if resumption is None else resumption.schedule
        self._schedule = schedule
        self._transcript.add(hello.raw)
        if early_offered:
            self._events.append(EarlyData(self._early_accepted))
        if self._early_accepted:
            self._install_early(schedule)
        own_share, shared_secret = respond(self._group, share, self._random)
        entries: list[Extension] = [
            (EXT_SUPPORTED_VERSIONS, SUPPORTED_VERSIONS_BODY),
            (EXT_KEY_SHARE, extensions.encode_server_share(self._group, own_share)),
        ]
        if resumption is not None:
            entries.append((EXT_PRE_SHARED_KEY, resumption.index.to_bytes(2, "big")))
        answer = ServerHello(self._random(32), hello.session_id, self._suite, tuple(entries)).encode()
        if self._ech.is_accepted:
            answer = self._ech.confirm(answer, hello, hash_name, self._transcript)
        self._transcript.add(answer)
        self._events.append(SendCrypto(Level.INITIAL, answer))
        self._derive_handshake(schedule, shared_secret)
        self._install(
            Level.HANDSHAKE,
            self._sealer(self._server_handshake_secret),
            self._opener(self._client_handshake_secret),
        )
        self._wants_tickets = 1 in hello.psk_modes()
        self._send_flight(hello, schedule)

    def _takes_early_data(self, resumption: Resumption | None) -> bool:
        """RFC 8446 §4.2.10 and §8; RFC 9001 §4.6.2."""
        config = self._config
        if resumption is None or not config.early_data or self._first_hello is not None:
            return False
        state = resumption.state
        return (
            resumption.index == 0
            and state.early_data
            and state.suite == self._suite
            and state.alpn == self._alpn
            and resumption.is_timely
            and (
                self._early_parameters is None
                or self._early_parameters(state.transport_parameters, self._parameters)
            )
            and config.replays is not None
            and config.replays.is_new(resumption.binder, self.wall_clock)
        )

    def _install_early(self, schedule: KeySchedule) -> None:
        secret = schedule.derive(b"c e traffic", self._transcript.digest())
        self._log(LOG_CLIENT_EARLY, secret)
        self._install(Level.EARLY, None, opener_from_secret(self._suite, secret, self._first_version))

    def _send_flight(self, hello: ClientHello, schedule: KeySchedule) -> None:
        """EncryptedExtensions to Finished, RFC 8446 figure 1."""
        entries: list[Extension] = []
        if self._server_name is not None and self._resumption is None:
            entries.append((EXT_SERVER_NAME, b""))
        if self._alpn is not None:
            entries.append((EXT_ALPN, extensions.encode_alpn((self._alpn,))))
        entries.append((EXT_QUIC_TRANSPORT_PARAMETERS, self._parameters))
        if self._early_accepted:
            entries.append((EXT_EARLY_DATA, b""))
        if self._ech.is_rejected:
            entries.append((EXT_ENCRYPTED_CLIENT_HELLO, self._ech.retry_configs))
        settings = self._config.application_settings
        self._settings_extension = _settings_extension(hello, self._alpn)
        if settings is None or self._early_accepted:
            self._settings_extension = 0
        elif self._settings_extension:
            entries.append((self._settings_extension, settings))
        flight = [encrypted_extensions.encode(entries)]
        self._transcript.add(flight[0])
        requests = False
        if self._resumption is None:
            if self._config.client_auth != "none":
                request = certificate_request.encode(
                    (
                        (EXT_SIGNATURE_ALGORITHMS, uint16_list(DEFAULT_SIGNATURES)),
                        (EXT_COMPRESS_CERTIFICATE, vector8(uint16_list(cert_compression.available())[2:])),
                    )
                )
                self._transcript.add(request)
                flight.append(request)
                requests = True
            flight.extend(self._certificate_flight(hello))
        flight.append(self._finished(self._server_handshake_secret))
        self._transcript.add(flight[-1])
        self._events.append(SendCrypto(Level.HANDSHAKE, b"".join(flight)))
        self._derive_application(schedule)
        # RFC 9001 §5.7: 1-RTT packets can be sent now, but not opened before the client's Finished.
        self._install(Level.APPLICATION, self._sealer(self._server_application_secret), None)
        if self._settings_extension:
            answered = ServerInput.HELLO_SETTINGS_AND_REQUEST if requests else ServerInput.HELLO_AND_SETTINGS
        else:
            answered = ServerInput.HELLO_AND_REQUEST if requests else ServerInput.HELLO
        self._state = advance_server(self._state, answered)

    def _certificate_flight(self, hello: ClientHello) -> list[bytes]:
        chain, scheme = choose_chain(self._config, hello, self._server_name)
        self._scheme = scheme
        return prove(chain, scheme, encode_chain(chain, hello), SERVER_CONTEXT, self._transcript)

    # The client's flight

    def _on_settings(self, raw: bytes) -> None:
        for number, body in encrypted_extensions.parse(raw):
            if number != self._settings_extension:
                raise LocalAlert(
                    UNSUPPORTED_EXTENSION, f"extension {number} in the client's EncryptedExtensions"
                )
            self._peer_settings = body
        if self._peer_settings is None:
            raise LocalAlert(
                MISSING_EXTENSION, "the client's EncryptedExtensions has no application settings"
            )
        self._transcript.add(raw)
        self._state = advance_server(self._state, ServerInput.SETTINGS)

    def _on_certificate(self, raw: bytes) -> None:
        received = open_certificate(raw, cert_compression.available())
        if received.context:
            raise LocalAlert(ILLEGAL_PARAMETER, "the client's Certificate has a context nobody gave it")
        self._transcript.add(raw)
        if not received.chain:
            if self._config.client_auth == "require":
                raise LocalAlert(CERTIFICATE_REQUIRED, "the client sent no certificate")
            self._state = advance_server(self._state, ServerInput.NO_CERTIFICATE)
            return
        self._peer = peer = PeerCertificate(received, ())
        verify_client(peer.chain, peer.certificates, self._config.client_trust(), self.wall_clock)
        self._state = advance_server(self._state, ServerInput.CERTIFICATE)

    def _on_certificate_verify(self, raw: bytes) -> None:
        if self._peer is None:
            raise refuse(CERTIFICATE_VERIFY, self._state)
        digest = self._transcript.digest()
        self._peer.check_proof(raw, CLIENT_CONTEXT, digest, DEFAULT_SIGNATURES, (), self.wall_clock)
        self._transcript.add(raw)
        self._state = advance_server(self._state, ServerInput.CERTIFICATE_VERIFY)

    def _on_finished(self, raw: bytes) -> None:
        schedule = self._schedule
        if schedule is None:
            raise refuse(FINISHED, self._state)
        self._check_finished(raw, self._client_handshake_secret)
        self._transcript.add(raw)
        self._state = advance_server(self._state, ServerInput.FINISHED)
        self._install(Level.APPLICATION, None, self._opener(self._client_application_secret))
        self._events.append(HandshakeDone(self._info()))
        if self._wants_tickets and self._config.ticket_keys:
            self._send_tickets(schedule)
        # What was negotiated from, and the secrets of the handshake, have done their work.
        self._first_hello = self._resumption = self._early_parameters = None
        self._make_parameters = self._parameters = b""
        self._release(schedule)

    def _client_chain(self) -> tuple[bytes, ...]:
        if self._peer is not None:
            return self._peer.chain
        return () if self._resumption is None else self._resumption.state.client_certificates

    def _info(self) -> TlsInfo:
        return TlsInfo(
            alpn=self._alpn,
            cipher_suite=self._suite,
            group=self._group,
            server_name=self._server_name,
            peer_certificates=load_certificates(self._client_chain()),
            resumed=self._resumption is not None,
            early_accepted=self._early_accepted,
            ech_accepted=self._ech.is_accepted,
            signature_scheme=self._scheme,
            application_settings=self._peer_settings,
        )

    def _send_tickets(self, schedule: KeySchedule) -> None:
        """NewSessionTicket messages, RFC 8446 §4.6.1."""
        config = self._config
        resumption_secret = schedule.derive(b"res master", self._transcript.digest())
        lifetime = min(int(config.ticket_lifetime), MAX_LIFETIME)
        flight = []
        for number in range(config.tickets):
            nonce = number.to_bytes(2, "big")
            age_add = int.from_bytes(self._random(4), "big")
            state = TicketState(
                secret=schedule.resumption_psk(resumption_secret, nonce),
                suite=self._suite,
                quic_version=self._quic_version,
                issued_at=self.wall_clock,
                lifetime=float(lifetime),
                age_add=age_add,
                early_data=config.early_data,
                alpn=self._alpn,
                server_name=self._server_name,
                transport_parameters=self._parameters,
                client_certificates=self._client_chain(),
            )
            ticket = seal_ticket(state, config.ticket_keys, self._random)
            if ticket is not None:
                early_data = EARLY_DATA if config.early_data else 0
                flight.append(NewSessionTicket(lifetime, age_add, nonce, ticket, early_data).encode())
        if flight:
            self._events.append(SendCrypto(Level.APPLICATION, b"".join(flight)))


def _settings_extension(hello: ClientHello, alpn: str | None) -> int:
    """The ALPS codepoint under which the client offers settings for ``alpn``, or 0."""
    for number in (EXT_ALPS, EXT_ALPS_OLD):
        body = hello.get(number)
        if body is not None and alpn in extensions.parse_alpn(body):
            return number
    return 0
