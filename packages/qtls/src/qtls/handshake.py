"""What client and server handshakes have in common.

Cuts CRYPTO bytes into messages, keeps the transcript and the secrets, installs keys, writes the key log, exports.
Which message may come when is decided by ``client`` and ``server``. RFC 8446 §4, RFC 9001 §4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .codec import message
from .constants import DECODE_ERROR, DECRYPT_ERROR, FINISHED, PROTOCOL_VIOLATION, UNEXPECTED_MESSAGE, Level
from .errors import DecodeError, LocalAlert
from .events import KeysInstalled, TlsEvent
from .key_schedule import KeySchedule, Transcript, verify_data
from .mac import equal
from .protection import Opener, Sealer, opener_from_secret, sealer_from_secret

__all__ = ["Handshake"]

# Largest message, header included. A certificate chain may have 64 KiB; everything else is far smaller. As only one
# message is ever kept, this also bounds what a peer can make this side hold at a level.
MAX_MESSAGE_SIZE: Final = 65_536 + 4

# Labels of the NSS key log, RFC 9850 §2.1.
LOG_CLIENT_EARLY: Final = "CLIENT_EARLY_TRAFFIC_SECRET"
LOG_CLIENT_HANDSHAKE: Final = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
LOG_SERVER_HANDSHAKE: Final = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
LOG_CLIENT_APPLICATION: Final = "CLIENT_TRAFFIC_SECRET_0"
LOG_SERVER_APPLICATION: Final = "SERVER_TRAFFIC_SECRET_0"
LOG_EXPORTER: Final = "EXPORTER_SECRET"

# The transcript of handshakes that are complete, where no message is hashed any more.
COMPLETED: Final = Transcript()


class Handshake:
    """Base of ``ClientHandshake`` and ``ServerHandshake``."""

    __slots__ = (
        "_buffer",
        "_client_application_secret",
        "_client_handshake_secret",
        "_events",
        "_exporter_hash",
        "_failure",
        "_first_version",
        "_keylog",
        "_log_random",
        "_quic_version",
        "_random",
        "_schedule",
        "_server_application_secret",
        "_server_handshake_secret",
        "_suite",
        "_transcript",
        "wall_clock",
    )

    def __init__(
        self,
        quic_version: int,
        random: Callable[[int], bytes],
        wall_clock: float,
        keylog: Callable[[str], None] | None,
    ) -> None:
        self._quic_version = quic_version
        # RFC 9369 §4.1: 0-RTT keeps the version of the first flight, whatever is negotiated.
        self._first_version = quic_version
        self._random = random
        # Unix time; a connection that lives on may set it before it hands over more bytes.
        self.wall_clock = wall_clock
        self._keylog = keylog
        self._log_random = ""
        self._buffer: bytearray | None = None  # the beginning of a message, if its end has not come yet
        self._events: list[TlsEvent] = []
        self._failure: LocalAlert | None = None
        self._transcript = Transcript()
        self._schedule: KeySchedule | None = None
        self._suite = 0
        self._client_handshake_secret = b""
        self._server_handshake_secret = b""
        self._client_application_secret = b""
        self._server_application_secret = b""
        self._exporter_hash = b""  # of the messages up to the server's Finished

    @property
    def quic_version(self) -> int:
        """The version keys are derived for."""
        return self._quic_version

    def set_version(self, quic_version: int) -> None:
        """Go on with another QUIC version after compatible version negotiation, RFC 9368 §2.3.

        Call it before the keys of the HANDSHAKE level are derived: a client before it receives the ServerHello, a server
        at the latest while it makes its transport parameters.

        Raises:
            ValueError: too late.
        """
        if self._client_handshake_secret and quic_version != self._quic_version:
            raise ValueError("keys of the handshake level have been derived")
        self._quic_version = quic_version

    def receive(self, level: Level, data: bytes) -> list[TlsEvent]:
        """Take in-order CRYPTO bytes of a level and return what follows from them.

        Raises:
            LocalAlert: the handshake has failed. Every later call raises the same.
        """
        if self._failure is not None:
            raise self._failure
        try:
            self._consume(level, data)
        except DecodeError as error:
            self._failure = LocalAlert(error.alert, error.reason)
        except LocalAlert as alert:
            self._failure = alert
        if self._failure is not None:
            self._buffer = None
            raise self._failure
        return self._take_events()

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Keying material of RFC 8446 §7.5, the same on both sides.

        Raises:
            ValueError: the handshake has not come far enough.
        """
        schedule = self._schedule
        if schedule is None or not self._exporter_hash:
            raise ValueError("nothing to export before the handshake is complete")
        secret = self._exporter_secret(schedule)
        schedule.rest()
        return schedule.export(secret, label, context, size)

    def _exporter_secret(self, schedule: KeySchedule) -> bytes:
        return schedule.derive(b"exp master", self._exporter_hash)

    def _level(self) -> Level:
        """Level at which the next message must come."""
        raise NotImplementedError

    def _handle(self, message_type: int, raw: bytes) -> None:
        """Act on one whole message."""
        raise NotImplementedError

    def _take_events(self) -> list[TlsEvent]:
        events = self._events
        self._events = []
        return events

    def _consume(self, level: Level, data: bytes) -> None:
        if not data:
            return
        if level is not self._level():
            raise LocalAlert(
                UNEXPECTED_MESSAGE,
                f"handshake bytes at level {level.value}, not {self._level().value}",
                PROTOCOL_VIOLATION,
            )
        begun = self._buffer
        if begun is not None:
            begun += data
        buffer = begun or data
        start = 0
        while len(buffer) - start >= 4:
            size = 4 + (buffer[start + 1] << 16 | buffer[start + 2] << 8 | buffer[start + 3])
            if size > MAX_MESSAGE_SIZE:
                raise LocalAlert(DECODE_ERROR, f"message of {size} bytes")
            if len(buffer) - start < size:
                break
            raw = bytes(buffer[start : start + size])
            start += size
            self._handle(raw[0], raw)
            # RFC 8446 §5.1: a message before a key change must end where the level ends.
            if level is not self._level() and start < len(buffer):
                raise LocalAlert(
                    UNEXPECTED_MESSAGE,
                    f"bytes after the last message of level {level.value}",
                    PROTOCOL_VIOLATION,
                )
        if start == len(buffer):
            self._buffer = None
        elif begun is None:
            self._buffer = bytearray(data[start:])
        else:
            del begun[:start]

    def _log(self, label: str, secret: bytes) -> None:
        if self._keylog is not None:
            self._keylog(f"{label} {self._log_random} {secret.hex()}")

    def _sealer(self, secret: bytes) -> Sealer:
        return sealer_from_secret(self._suite, secret, self._quic_version)

    def _opener(self, secret: bytes) -> Opener:
        return opener_from_secret(self._suite, secret, self._quic_version)

    def _derive_handshake(self, schedule: KeySchedule, shared_secret: bytes) -> None:
        """Handshake traffic secrets; the transcript ends with the ServerHello."""
        schedule.enter_handshake(shared_secret)
        digest = self._transcript.digest()
        self._client_handshake_secret = schedule.derive(b"c hs traffic", digest)
        self._server_handshake_secret = schedule.derive(b"s hs traffic", digest)
        self._log(LOG_CLIENT_HANDSHAKE, self._client_handshake_secret)
        self._log(LOG_SERVER_HANDSHAKE, self._server_handshake_secret)

    def _derive_application(self, schedule: KeySchedule) -> None:
        """Application secrets; the transcript ends with the server's Finished. Few ask for the exporter secret."""
        schedule.enter_master()
        digest = self._transcript.digest()
        self._client_application_secret = schedule.derive(b"c ap traffic", digest)
        self._server_application_secret = schedule.derive(b"s ap traffic", digest)
        self._exporter_hash = digest
        self._log(LOG_CLIENT_APPLICATION, self._client_application_secret)
        self._log(LOG_SERVER_APPLICATION, self._server_application_secret)
        if self._keylog is not None:
            self._log(LOG_EXPORTER, self._exporter_secret(schedule))

    def _finished(self, secret: bytes) -> bytes:
        """The Finished message over the transcript so far."""
        transcript = self._transcript
        return message(FINISHED, verify_data(transcript.hash_name, secret, transcript.digest()))

    def _check_finished(self, raw: bytes, secret: bytes) -> None:
        transcript = self._transcript
        expected = verify_data(transcript.hash_name, secret, transcript.digest())
        if len(raw) - 4 != len(expected):
            raise LocalAlert(DECODE_ERROR, f"Finished of {len(raw) - 4} bytes, not {len(expected)}")
        if not equal(raw[4:], expected):
            raise LocalAlert(DECRYPT_ERROR, "Finished does not match the transcript")

    def _release(self, schedule: KeySchedule) -> None:
        """The handshake is complete: let go of its secrets, and of what only it needed."""
        self._client_handshake_secret = self._server_handshake_secret = b"-"
        self._transcript = COMPLETED
        self._log_random = ""
        schedule.rest()

    def _install(self, level: Level, sealer: Sealer | None, opener: Opener | None) -> None:
        self._events.append(KeysInstalled(level, sealer, opener))
