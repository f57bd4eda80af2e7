"""What a client remembers of servers: tickets, tokens, round-trip times.

Bounded, per origin, and to be written down as text so that it outlives a process. RFC 8446 §4.6.1,
RFC 9000 §8.1.3.
"""

import json
from dataclasses import fields
from typing import Any, Final, final

from qtls.resumption import Session

from .errors import MimicError
from .profile import Resumption

#: Origins remembered; the one heard of longest ago is forgotten first.
MAX_ORIGINS: Final = 256
#: Tickets and tokens kept per origin: each is used once, and browsers keep few.
MAX_PER_ORIGIN: Final = 4
FORMAT: Final = 1


class MemoryFormatError(MimicError):
    """A written memory cannot be read."""


@final
class Origin:
    """What is known of one host and port."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.tokens: list[bytes] = []
        self.rtt: float | None = None
        self.settings: tuple[tuple[int, int], ...] | None = None


@final
class Memory:
    """What is known of servers, by origin `host:port`."""

    def __init__(self) -> None:
        self._origins: dict[str, Origin] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def origin(self, key: str) -> Origin:
        """The entry of an origin, made if there is none."""
        found = self._origins.pop(key, None) or Origin()
        self._origins[key] = found
        while len(self._origins) > MAX_ORIGINS:
            del self._origins[next(iter(self._origins))]
        return found

    def resumption(self, key: str, *, early_data: bool = True) -> Resumption:
        """What a new connection to an origin can use; its token is used up."""
        origin = self.origin(key)
        return Resumption(
            sessions=OriginSessions(origin),
            early_data=early_data,
            token=origin.tokens.pop() if origin.tokens else b"",
            rtt=origin.rtt,
            version=origin.sessions[-1].quic_version if origin.sessions else None,
            settings=origin.settings,
        )

    def tokens(self, key: str, *, only_with_session: bool = False) -> "OriginTokens":
        """Where a connection to an origin puts the tokens that it is given."""
        return OriginTokens(self.origin(key), only_with_session)

    def dumps(self) -> str:
        """All of it as text. It holds secrets: who has them can impersonate the server to this client."""
        origins = {
            key: {
                "sessions": [session_object(session) for session in origin.sessions],
                "tokens": [token.hex() for token in origin.tokens],
                "rtt": origin.rtt,
                "settings": origin.settings,
            }
            for key, origin in self._origins.items()
        }
        return json.dumps({"format": FORMAT, "origins": origins}, indent=1)

    @classmethod
    def loads(cls, text: str) -> "Memory":
        """Read what `dumps` wrote.

        Raises:
            MemoryFormatError: something else.
        """
        memory = cls()
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}")
            for key, item in data["origins"].items():
                origin = memory.origin(key)
                origin.sessions = [session_of(entry) for entry in item["sessions"]][-MAX_PER_ORIGIN:]
                origin.tokens = [bytes.fromhex(token) for token in item["tokens"]][-MAX_PER_ORIGIN:]
                origin.rtt = None if item["rtt"] is None else float(item["rtt"])
                settings = item.get("settings")
                if settings is not None:
                    origin.settings = tuple((int(number), int(value)) for number, value in settings)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MemoryFormatError(f"not a file of kept sessions ({error})") from None
        return memory


@final
class OriginSessions:
    """The tickets of one origin, as a `qtls.SessionStore` whose keys do not matter."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def pop(self, key: str) -> Session | None:
        """The newest ticket; each is used once."""
        return self._origin.sessions.pop() if self._origin.sessions else None

    def put(self, key: str, session: Session) -> None:
        """Keep a ticket."""
        self._origin.sessions.append(session)
        del self._origin.sessions[:-MAX_PER_ORIGIN]


@final
class OriginTokens:
    """Takes the address validation tokens of one origin, as a `qcore.tokens.TokenStore`.

    It gives none: which token a connection uses is drawn with its profile.

    Args:
        only_with_session: drop a token that arrives while there is no ticket, as Chromium does.
    """

    def __init__(self, origin: Origin, only_with_session: bool) -> None:
        self._origin = origin
        self._only_with_session = only_with_session

    def pop(self, key: str) -> bytes | None:
        """None."""
        return None

    def put(self, key: str, token: bytes) -> None:
        """Keep a token."""
        if self._only_with_session and not self._origin.sessions:
            return
        self._origin.tokens.append(token)
        del self._origin.tokens[:-MAX_PER_ORIGIN]


def session_object(session: Session) -> dict[str, Any]:
    """A ticket as JSON; bytes in hexadecimal."""
    item: dict[str, Any] = {}
    for each in fields(session):
        value = getattr(session, each.name)
        if isinstance(value, bytes):
            item[each.name] = {"hex": value.hex()}
        elif isinstance(value, tuple):
            item[each.name] = [{"hex": entry.hex()} for entry in value]
        else:
            item[each.name] = value
    return item


def session_of(item: dict[str, Any]) -> Session:
    """The inverse of `session_object`."""

    def value_of(value: Any) -> Any:
        if isinstance(value, dict):
            return bytes.fromhex(value["hex"])
        return tuple(value_of(entry) for entry in value) if isinstance(value, list) else value

    return Session(**{name: value_of(value) for name, value in item.items()})
