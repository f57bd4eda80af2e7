"""The client's handshake.

Sends what a ``ClientHelloBuilder`` drew, negotiates from those very bytes, verifies the server. RFC 8446 §4 and
§A.1, RFC 9001 §4 and §8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Final

from . import extensions
from .client_hellos import ClientHellos
from .client_offer import Offer
from .client_sessions import session_of_ticket, usable_session
from .client_states import CLIENT_ACCEPTS, CLIENT_LEVELS, ClientInput, ClientState, advance_client, refuse
from .config import ClientTLS
from .constants import (
    CERTIFICATE_REQUEST,
    CERTIFICATE_VERIFY,
    DECODE_ERROR,
    ENCRYPTED_EXTENSIONS,
    EXT_ALPS,
    EXT_ALPS_OLD,
    EXT_DELEGATED_CREDENTIALS,
    EXT_EARLY_DATA,
    EXT_ENCRYPTED_CLIENT_HELLO,
    EXT_QUIC_TRANSPORT_PARAMETERS,
    EXT_SIGNED_CERTIFICATE_TIMESTAMP,
    EXT_STATUS_REQUEST,
    EXT_TRUST_ANCHORS,
    FINISHED,
    ILLEGAL_PARAMETER,
    NEW_SESSION_TICKET,
    SERVER_CONTEXT,
    SERVER_HELLO,
    UNSUPPORTED_EXTENSION,
    Level,
)
from .errors import EchRejected, LocalAlert
from .events import EarlyData, HandshakeDone, NewSession, PeerParameters, SendCrypto, TlsEvent, TlsInfo
from .handshake import LOG_CLIENT_EARLY, Handshake
from .key_schedule import KeySchedule
from .messages import encrypted_extensions
from .messages.certificate import Certificate
from .messages.client_hello import ClientHello
from .messages.server_hello import ServerHello
from .names import ascii_host
from .packet_keys import SUITES, suite_parameters
from .protection import sealer_from_secret
from .resumption import Session

if TYPE_CHECKING:
    from .ech_client import ClientEch
    from .own_certificate import CertificateRequest
    from .peer_certificate import PeerCertificate
    from .trust import TrustStore

__all__ = ["ClientHandshake"]

# What a server may attach to a certificate, if the hello offered it.
ENTRY_EXTENSIONS: Final = (
    EXT_STATUS_REQUEST,
    EXT_SIGNED_CERTIFICATE_TIMESTAMP,
    EXT_DELEGATED_CREDENTIALS,
    EXT_TRUST_ANCHORS,
)


class ClientHandshake(Handshake):
    """One client handshake without I/O.

    ``server_name`` is the host to verify, a DNS name or an address; ``transport_parameters`` is the encoded body of the
    extension. A ``session`` is offered for resumption, with 0-RTT if ``early_data`` says so and it permits it; without
    one, the newest of ``config.sessions`` under ``session_key`` (the server name by default) is taken. ``wall_clock`` is
    Unix time.
    """

    __slots__ = (
        "_alpn",
        "_config",
        "_early_accepted",
        "_group",
        "_hellos",
        "_offer",
        "_peer",
        "_peer_parameters",
        "_peer_settings",
        "_psk_schedule",
        "_request",
        "_resumed",
        "_resumption_hash",
        "_retry",
        "_retry_configs",
        "_server_name",
        "_session_key",
        "_settings_extension",
        "_state",
        "_trust",
        "_want_early_data",
        "client_hello",
        "session",
    )

    def __init__(
        self,
        config: ClientTLS,
        *,
        server_name: str | None,
        transport_parameters: bytes,
        quic_version: int,
        random: Callable[[int], bytes],
        wall_clock: float,
        session: Session | None = None,
        session_key: str | None = None,
        early_data: bool = False,
    ) -> None:
        super().__init__(quic_version, random, wall_clock, config.keylog)
        self._config = config
        name = config.server_name or server_name
        self._server_name = None if name is None else ascii_host(name)
        self._session_key = session_key or self._server_name or ""
        self._want_early_data = early_data
        self._state = ClientState.START
        self._trust: TrustStore | None = None
        self._hellos = ClientHellos(config, self._server_name, transport_parameters, random)
        self._retry_configs = b""
        self._offer: Offer | None = None
        self._retry: ServerHello | None = None
        self._psk_schedule: KeySchedule | None = None
        self._resumed = False
        self._group = 0
        self._alpn: str | None = None
        self._early_accepted = False
        self._peer_parameters = b""
        self._settings_extension = 0
        self._peer_settings: bytes | None = None
        self._request: CertificateRequest | None = None
        self._peer: PeerCertificate | None = None
        self._resumption_hash = b""  # of all messages of the handshake
        self.session = session
        self.client_hello = b""

    @property
    def state(self) -> ClientState:
        """Where the handshake is."""
        return self._state

    def start(self) -> list[TlsEvent]:
        """Send the ClientHello. Call it once, before ``receive``.

        Raises:
            ValueError: called twice, no name to verify, or a builder drew a hello that cannot work.
            OSError: the trusted roots cannot be read.
        """
        if self._state is not ClientState.START:
            raise ValueError("the handshake has been started")
        if self._config.verify:
            if self._server_name is None:
                raise ValueError("verification needs a server name")
            self._trust = self._config.trust_store()
        else:
            from .verification import warn_unverified

            warn_unverified(self._server_name)
        self.session = usable_session(
            self._config,
            self.session,
            self._session_key,
            self._server_name,
            self._quic_version,
            self.wall_clock,
        )
        self._hellos.prepare(self.session)
        self._state = advance_client(self._state, ClientInput.HELLO_SENT)
        self._send_hello(None)
        return self._take_events()

    def _level(self) -> Level:
        return CLIENT_LEVELS[self._state]

    def _handle(self, message_type: int, raw: bytes) -> None:
        if message_type not in CLIENT_ACCEPTS[self._state]:
            raise refuse(message_type, self._state)
        if message_type == SERVER_HELLO:
            self._on_server_hello(raw)
        elif message_type == ENCRYPTED_EXTENSIONS:
            self._on_encrypted_extensions(raw)
        elif message_type == CERTIFICATE_REQUEST:
            self._on_certificate_request(raw)
        elif message_type == CERTIFICATE_VERIFY:
            self._on_certificate_verify(raw)
        elif message_type == FINISHED:
            self._on_finished(raw)
        elif message_type == NEW_SESSION_TICKET:
            self._on_ticket(raw)
        else:
            self._on_certificate(raw)

    # ClientHello

    def _send_hello(self, retry: tuple[int | None, bytes | None] | None) -> None:
        session = self.session
        early = (
            self._want_early_data
            and retry is None
            and session is not None
            and session.max_early_data > 0
            and session.alpn in self._config.alpn
        )
        hellos = self._hellos
        hello, self._psk_schedule = hellos.make(session, early, self._transcript, self.wall_clock, retry)
        if self._psk_schedule is None:
            self.session = session = None
        self._offer = Offer(hello, session)
        sent = hellos.sent or hello
        self.client_hello = sent.raw
        self._log_random = hello.random.hex()
        self._transcript.add(hello.raw)
        if hellos.ech is not None and hellos.ech.is_accepted is None:
            hellos.ech.outer_transcript.add(sent.raw)
        self._events.append(SendCrypto(Level.INITIAL, sent.raw))
        if self._offer.early_data:
            if not early:
                raise ValueError("the ClientHello has early_data, but the session does not permit it")
            self._install_early(hello)

    def _install_early(self, hello: ClientHello) -> None:
        schedule, session = self._psk_schedule, self.session
        if schedule is None or session is None:
            raise ValueError("early data without a session")
        digest = self._transcript.digest_with(b"", schedule.hash_name)
        secret = schedule.derive(b"c e traffic", digest)
        self._log(LOG_CLIENT_EARLY, secret)
        self._install(Level.EARLY, sealer_from_secret(session.suite, secret, self._first_version), None)

    # The server's first flight

    def _on_server_hello(self, raw: bytes) -> None:
        answer = ServerHello.parse(raw)
        if answer.is_retry:
            self._state = advance_client(self._state, ClientInput.RETRY_REQUESTED)
            self._on_retry(answer, raw)
            return
        self._settle_ech(answer, raw)
        choice = self._sent().choose(answer, self._retry)
        self._state = advance_client(self._state, ClientInput.SERVER_HELLO)
        self._suite = choice.suite
        self._group = choice.group
        self._resumed = choice.resumes
        hash_name = suite_parameters(choice.suite).hash_name
        schedule = self._psk_schedule if choice.resumes else None
        self._schedule = schedule = schedule or KeySchedule(hash_name)
        shared_secret = self._hellos.shares.secret(choice.group, choice.share) if choice.group else b""
        self._transcript.choose(hash_name)
        self._transcript.add(raw)
        self._derive_handshake(schedule, shared_secret)
        self._install(
            Level.HANDSHAKE,
            self._sealer(self._client_handshake_secret),
            self._opener(self._server_handshake_secret),
        )

    def _on_retry(self, retry: ServerHello, raw: bytes) -> None:
        asked = self._sent().check_retry(retry)
        self._retry = retry
        hash_name = suite_parameters(retry.suite).hash_name
        self._transcript.choose(hash_name)
        self._transcript.replace_first_hello()
        ech = self._hellos.ech
        if ech is not None:
            if ech.confirms_retry(retry, self._transcript):
                ech.is_accepted = True
            else:
                ech.outer_transcript.choose(hash_name)
                ech.outer_transcript.replace_first_hello()
                self._go_on_outside(ech)
        self._transcript.add(raw)
        # RFC 8446 §4.1.4: a PSK that does not fit the chosen suite is not offered again, and 0-RTT ends.
        if self.session is not None and suite_parameters(self.session.suite).hash_name != hash_name:
            self.session = None
        if self._sent().early_data:
            self._events.append(EarlyData(False))
        self._send_hello(asked)

    # Encrypted ClientHello

    def _settle_ech(self, answer: ServerHello, raw: bytes) -> None:
        """Find out which hello a ServerHello answers, RFC 9849 §6.1.4."""
        ech = self._hellos.ech
        if ech is None or ech.is_accepted is False or answer.suite not in SUITES:
            return
        confirmed = ech.confirms(answer, raw, self._transcript)
        if ech.is_accepted and not confirmed:
            raise LocalAlert(ILLEGAL_PARAMETER, "ECH accepted in HelloRetryRequest, but not in ServerHello")
        if confirmed:
            ech.is_accepted = True
        else:
            self._go_on_outside(ech)

    def _go_on_outside(self, ech: ClientEch) -> None:
        """Complete the handshake of the outer hello, only to learn what to try instead. RFC 9849 §6.1.6."""
        outer = ech.outer
        if outer is None:
            raise ValueError("no ClientHello has been sent")
        ech.is_accepted = False
        self._transcript = ech.outer_transcript
        self._offer = Offer(outer, None)
        self.session = self._psk_schedule = None
        self._server_name = ech.public_name
        self._log_random = outer.random.hex()

    def _on_retry_configs(self, body: bytes) -> None:
        ech = self._hellos.ech
        if ech is not None and ech.is_accepted:
            raise LocalAlert(UNSUPPORTED_EXTENSION, "retry configurations, though ECH was accepted")
        from .ech import parse_config_list

        # RFC 9849 §6.2: after GREASE they are checked, but never used.
        parse_config_list(body)
        self._retry_configs = body

    def _on_encrypted_extensions(self, raw: bytes) -> None:
        offer = self._sent()
        entries = encrypted_extensions.parse(raw)
        self._alpn = offer.check_encrypted_extensions(entries)
        bodies = dict(entries)
        self._peer_parameters = bodies[EXT_QUIC_TRANSPORT_PARAMETERS]
        self._events.append(PeerParameters(self._peer_parameters))
        if EXT_ENCRYPTED_CLIENT_HELLO in bodies:
            self._on_retry_configs(bodies[EXT_ENCRYPTED_CLIENT_HELLO])
        if EXT_EARLY_DATA in bodies:
            extensions.expect_empty(bodies[EXT_EARLY_DATA], "early_data")
            self._accept_early_data()
        if offer.early_data:
            self._events.append(EarlyData(self._early_accepted))
        for number in (EXT_ALPS, EXT_ALPS_OLD):
            if number in bodies:
                self._settings_extension = number
                self._peer_settings = bodies[number]
        self._transcript.add(raw)
        resumed = ClientInput.EXTENSIONS_WITH_PSK if self._resumed else ClientInput.EXTENSIONS
        self._state = advance_client(self._state, resumed)

    def _accept_early_data(self) -> None:
        session = self.session
        # RFC 8446 §4.2.10: 0-RTT stands only with the first PSK and what was negotiated with it.
        if not self._resumed or session is None or session.suite != self._suite or session.alpn != self._alpn:
            raise LocalAlert(ILLEGAL_PARAMETER, "0-RTT accepted with other parameters than the session's")
        self._early_accepted = True

    def _on_certificate_request(self, raw: bytes) -> None:
        from .own_certificate import CertificateRequest  # few servers ask

        self._request = CertificateRequest.parse(raw)
        self._transcript.add(raw)
        self._state = advance_client(self._state, ClientInput.CERTIFICATE_REQUEST)

    def _on_certificate(self, raw: bytes) -> None:
        open_certificate, make_peer, verify_server = _reading()
        offer = self._sent()
        received = open_certificate(raw, offer.certificate_compression)
        if received.context:
            raise LocalAlert(ILLEGAL_PARAMETER, "a server's Certificate has a context")
        if not received.chain:
            raise LocalAlert(DECODE_ERROR, "a server's Certificate is empty")
        self._peer = peer = make_peer(received, filter(offer.hello.offers, ENTRY_EXTENSIONS))
        if self._trust is not None and self._server_name is not None:
            verify_server(peer.chain, peer.certificates, self._server_name, self._trust, self.wall_clock)
        self._transcript.add(raw)
        self._state = advance_client(self._state, ClientInput.CERTIFICATE)

    def _on_certificate_verify(self, raw: bytes) -> None:
        peer, offer = self._peer, self._sent()
        if peer is None:
            raise refuse(CERTIFICATE_VERIFY, self._state)
        delegated = offer.hello.get(EXT_DELEGATED_CREDENTIALS)
        peer.check_proof(
            raw,
            SERVER_CONTEXT,
            self._transcript.digest(),
            offer.signatures,
            () if delegated is None else extensions.parse_uint16_list(delegated, "delegated_credentials"),
            self.wall_clock,
        )
        self._transcript.add(raw)
        self._state = advance_client(self._state, ClientInput.CERTIFICATE_VERIFY)

    # Finished

    def _on_finished(self, raw: bytes) -> None:
        schedule = self._schedule
        if schedule is None:
            raise refuse(FINISHED, self._state)
        self._check_finished(raw, self._server_handshake_secret)
        ech = self._hellos.ech
        if ech is not None and not ech.is_accepted:
            raise EchRejected(f"{ech.public_name} could not decrypt the ClientHello", self._retry_configs)
        self._transcript.add(raw)
        self._derive_application(schedule)
        self._send_flight()
        self._resumption_hash = self._transcript.digest()
        self._state = advance_client(self._state, ClientInput.FINISHED)
        self._install(
            Level.APPLICATION,
            self._sealer(self._client_application_secret),
            self._opener(self._server_application_secret),
        )
        self._events.append(HandshakeDone(self._info()))
        # Private keys, handshake secrets and what was negotiated from have done their work.
        self._hellos.release()
        self._offer = self._retry = self._psk_schedule = self._request = None
        self._release(schedule)

    def _send_flight(self) -> None:
        flight = []
        if self._settings_extension:
            # Application settings: the client answers with its own, before everything else.
            settings = (self._settings_extension, self._config.application_settings)
            flight.append(encrypted_extensions.encode((settings,)))
            self._transcript.add(flight[-1])
        if self._request is not None:
            flight += self._request.answer(self._config.client_cert, self._transcript)
        flight.append(self._finished(self._client_handshake_secret))
        self._transcript.add(flight[-1])
        self._events.append(SendCrypto(Level.HANDSHAKE, b"".join(flight)))

    def _info(self) -> TlsInfo:
        peer = self._peer
        certificates = () if peer is None else peer.certificates
        if self._resumed and self.session is not None:
            from .verification import load_certificates

            certificates = load_certificates(self.session.certificates)
        return TlsInfo(
            alpn=self._alpn,
            cipher_suite=self._suite,
            group=self._group,
            server_name=self._server_name,
            peer_certificates=certificates,
            resumed=self._resumed,
            early_accepted=self._early_accepted,
            ech_accepted=self._hellos.ech is not None and bool(self._hellos.ech.is_accepted),
            signature_scheme=None if peer is None else peer.signature_scheme,
            ocsp_response=None if peer is None else peer.ocsp_response,
            application_settings=self._peer_settings,
        )

    def _on_ticket(self, raw: bytes) -> None:
        schedule = self._schedule
        if schedule is None:
            raise refuse(NEW_SESSION_TICKET, self._state)
        chain = self._peer.chain if self._peer is not None else self.session and self.session.certificates
        session = session_of_ticket(
            raw,
            schedule,
            self._resumption_hash,
            suite=self._suite,
            alpn=self._alpn,
            server_name=self._server_name,
            issued_at=self.wall_clock,
            quic_version=self._quic_version,
            transport_parameters=self._peer_parameters,
            certificates=chain or (),
        )
        if session is None:
            return
        if self._config.sessions is not None:
            self._config.sessions.put(self._session_key, session)
        self._events.append(NewSession(session))

    def _sent(self) -> Offer:
        if self._offer is None:
            raise ValueError("the handshake has not been started")
        return self._offer


@cache
def _reading() -> tuple[
    Callable[[bytes, Iterable[int]], Certificate], type[PeerCertificate], Callable[..., None]
]:
    """What reads certificates: it takes longer to load than all the rest, and is not needed before there is one."""
    from .peer_certificate import PeerCertificate, open_certificate
    from .verification import verify_server

    return open_certificate, PeerCertificate, verify_server
