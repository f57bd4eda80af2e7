"""The events of HTTP/3 as a trace: an observer of qhttp3. h3-events-12.

It writes into the trace of the connection below and takes its clock. Field values that are secrets are left out.
"""

from collections.abc import Callable, Sequence
from typing import Final, final

from qhttp3.observer import Field, Observer
from qlog.packets import PREFIX_SIZE, text_of

AddEvent = Callable[[float, str, dict[str, object]], None]

FRAMES: Final = {
    0x00: "data",
    0x01: "headers",
    0x03: "cancel_push",
    0x04: "settings",
    0x05: "push_promise",
    0x07: "goaway",
    0x0C: "origin",
    0x0D: "max_push_id",
    0xF0700: "priority_update",
    0xF0701: "priority_update",
}
SETTINGS: Final = {
    0x01: ("max_table_capacity", "settings_qpack_max_table_capacity"),
    0x06: ("max_field_section_size", "settings_max_field_section_size"),
    0x07: ("blocked_streams_count", "settings_qpack_blocked_streams"),
    0x08: ("extended_connect", "settings_enable_connect_protocol"),
    0x33: ("h3_datagram", "settings_h3_datagram"),
}
STREAM_TYPES: Final = {"qpack_encoder": "qpack_encode", "qpack_decoder": "qpack_decode"}
SECRET_FIELDS: Final = frozenset(
    (
        b"authorization",
        b"cookie",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"set-cookie",
        b"www-authenticate",
    )
)
MAX_FIELDS: Final = 100


@final
class HttpTrace(Observer):
    """Writes what an HTTP/3 engine tells into a trace."""

    def __init__(self, event: AddEvent, clock: Callable[[], float]) -> None:
        """``event`` and ``clock`` are those of the trace of the connection, `qlog.core.CoreTrace`."""
        self._event = event
        self._clock = clock
        self._settings: dict[bool, list[dict[str, object]]] = {}

    def _add(self, name: str, data: dict[str, object]) -> None:
        self._event(self._clock(), name, data)

    def parameters_set(self, is_local: bool, entries: Sequence[tuple[int, int]]) -> None:
        data: dict[str, object] = {"initiator": "local" if is_local else "remote"}
        listed: list[dict[str, object]] = []
        for identifier, value in entries[:MAX_FIELDS]:
            known = SETTINGS.get(identifier)
            if known is not None:
                data[known[0]] = value
                listed.append({"name": known[1], "value": value})
            else:
                data[f"0x{identifier:x}"] = value
                name = "reserved" if _is_reserved(identifier) else "unknown"
                listed.append({"name": name, "name_bytes": identifier, "value": value})
        self._settings[is_local] = listed
        self._add("http3:parameters_set", data)

    def stream_type_set(
        self, stream_id: int, stream_type: str, is_local: bool, type_id: int | None = None
    ) -> None:
        kind = STREAM_TYPES.get(stream_type, stream_type)
        data: dict[str, object] = {
            "initiator": "local" if is_local else "remote",
            "stream_id": stream_id,
            "stream_type": kind,
        }
        if kind in ("unknown", "reserved") and type_id is not None:
            data["stream_type_bytes"] = type_id
        self._add("http3:stream_type_set", data)

    def frame_created(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: Sequence[Field] = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        frame = self._frame(True, frame_type, length, fields, value, data)
        self._add("http3:frame_created", {"stream_id": stream_id, "frame": frame})

    def frame_parsed(
        self,
        stream_id: int,
        frame_type: int,
        length: int,
        fields: Sequence[Field] = (),
        value: int | None = None,
        data: bytes = b"",
    ) -> None:
        frame = self._frame(False, frame_type, length, fields, value, data)
        self._add("http3:frame_parsed", {"stream_id": stream_id, "frame": frame})

    def _frame(
        self,
        is_local: bool,
        frame_type: int,
        length: int,
        fields: Sequence[Field],
        value: int | None,
        data: bytes,
    ) -> dict[str, object]:
        """An HTTP3Frame. h3-events-12 §5.2."""
        kind = FRAMES.get(frame_type)
        if kind is None:
            kind = "reserved" if _is_reserved(frame_type) else "unknown"
        frame: dict[str, object] = {"frame_type": kind, "raw": {"payload_length": length}}
        if kind in ("reserved", "unknown"):
            frame["frame_type_bytes"] = frame_type
        elif kind in ("headers", "push_promise"):
            frame["headers"] = [_field(name, text) for name, text in fields[:MAX_FIELDS]]
            if len(fields) > MAX_FIELDS:
                frame["omitted_headers"] = len(fields) - MAX_FIELDS
        elif kind == "settings":
            frame["settings"] = self._settings.get(is_local, [])
        elif kind == "priority_update":
            frame["priority_field_value"] = text_of(data.decode("latin-1"))
        if value is not None:
            key = "id" if kind == "goaway" else "stream_id" if frame_type == 0xF0700 else "push_id"
            frame[key] = value
        return frame

    def datagram_created(self, stream_id: int, length: int) -> None:
        self._add("http3:datagram_created", _datagram(stream_id, length))

    def datagram_parsed(self, stream_id: int, length: int) -> None:
        self._add("http3:datagram_parsed", _datagram(stream_id, length))

    def priority_updated(self, stream_id: int, value: bytes) -> None:
        new = text_of(value.decode("latin-1"))
        data: dict[str, object] = {"stream_id": stream_id, "new": new, "trigger": "client_signal_received"}
        self._add("http3:priority_updated", data)

    def push_resolved(self, push_id: int, decision: str) -> None:
        self._add("http3:push_resolved", {"push_id": push_id, "decision": decision})

    def stream_failed(self, stream_id: int, code: int, reason: str, is_local: bool) -> None:
        side = "local" if is_local else "remote"
        message = f"stream {stream_id} failed ({side}): {text_of(reason)}"
        self._add("loglevel:warning", {"code": code, "message": message})

    def connection_failed(self, code: int, reason: str) -> None:
        self._add("loglevel:error", {"code": code, "message": text_of(reason)})


def _is_reserved(number: int) -> bool:
    """Whether the number is one of those that exercise the ignoring of unknown ones. RFC 9114 §7.2.8."""
    return number >= 0x21 and (number - 0x21) % 0x1F == 0


def _field(name: bytes, value: bytes) -> dict[str, object]:
    """An HTTP3HTTPField: text if it is printable ASCII, else bytes, cut if long. h3-events-12 §5.2.2."""
    field: dict[str, object] = {}
    if _is_text(name):
        field["name"] = text_of(name.decode("ascii"))
    else:
        field["name_bytes"] = name[: 4 * PREFIX_SIZE].hex()
    if name.lower() in SECRET_FIELDS:
        field["value_length"] = len(value)
    elif _is_text(value):
        field["value"] = text_of(value.decode("ascii"))
    else:
        field["value_bytes"] = value[: 4 * PREFIX_SIZE].hex()
    return field


def _is_text(data: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in data)


def _datagram(stream_id: int, length: int) -> dict[str, object]:
    return {"quarter_stream_id": stream_id // 4, "raw": {"payload_length": length}}
