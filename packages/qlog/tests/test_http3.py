"""The observer of qhttp3, writing beside the events of the connection."""

import pytest

pytest.importorskip("qhttp3.observer")

from qlog.http3 import MAX_FIELDS, HttpTrace


class Events:
    """A trace that keeps what it is given."""

    def __init__(self) -> None:
        self.listed: list[tuple[float, str, dict[str, object]]] = []

    def add(self, now: float, name: str, data: dict[str, object]) -> None:
        self.listed.append((now, name, data))

    def frame(self) -> dict[str, object]:
        frame = self.listed[-1][2]["frame"]
        assert isinstance(frame, dict)
        return frame


def trace() -> tuple[Events, HttpTrace]:
    events = Events()
    return events, HttpTrace(events.add, lambda: 2.5)


def test_settings_are_told_by_name() -> None:  # h3-events-12 §3.1
    events, http = trace()
    http.parameters_set(True, [(1, 4096), (6, 65536), (7, 16), (8, 1), (0x33, 1), (0x21, 5), (0x2B603742, 1)])

    assert [
        (
            2.5,
            "http3:parameters_set",
            {
                "initiator": "local",
                "max_table_capacity": 4096,
                "max_field_section_size": 65536,
                "blocked_streams_count": 16,
                "extended_connect": 1,
                "h3_datagram": 1,
                "0x21": 5,
                "0x2b603742": 1,
            },
        )
    ] == events.listed


def test_a_settings_frame_lists_them_again() -> None:
    events, http = trace()
    http.parameters_set(False, [(1, 4096), (0x21, 5), (0x2B603742, 1)])
    http.frame_parsed(3, 4, 10)

    assert {
        "frame_type": "settings",
        "raw": {"payload_length": 10},
        "settings": [
            {"name": "settings_qpack_max_table_capacity", "value": 4096},
            {"name": "reserved", "name_bytes": 0x21, "value": 5},
            {"name": "unknown", "name_bytes": 0x2B603742, "value": 1},
        ],
    } == events.frame()


@pytest.mark.parametrize(
    ("kind", "type_id", "expected"),
    [
        ("request", None, {"stream_type": "request"}),
        ("control", 0, {"stream_type": "control"}),
        ("qpack_encoder", 2, {"stream_type": "qpack_encode"}),
        ("qpack_decoder", 3, {"stream_type": "qpack_decode"}),
        ("unknown", 0x54, {"stream_type": "unknown", "stream_type_bytes": 0x54}),
        ("reserved", 0x21, {"stream_type": "reserved", "stream_type_bytes": 0x21}),
    ],
)
def test_stream_types(
    kind: str, type_id: int | None, expected: dict[str, object]
) -> None:  # h3-events-12 §3.3
    events, http = trace()
    http.stream_type_set(2, kind, False, type_id)

    assert [
        (2.5, "http3:stream_type_set", {"initiator": "remote", "stream_id": 2, **expected})
    ] == events.listed


def test_fields_are_text_and_secrets_stay_out() -> None:  # h3-events-12 §5.2.2
    events, http = trace()
    fields = [
        (b":path", b"/"),
        (b"cookie", b"session=secret"),
        (b"Authorization", b"Basic secret"),
        (b"x-bytes", b"\xff\x00"),
        (b"\xfe", b"odd name"),
        (b"x-long", b"a" * 1000),
    ]
    http.frame_created(0, 1, 40, fields)

    assert {
        "frame_type": "headers",
        "raw": {"payload_length": 40},
        "headers": [
            {"name": ":path", "value": "/"},
            {"name": "cookie", "value_length": 14},
            {"name": "Authorization", "value_length": 12},
            {"name": "x-bytes", "value_bytes": "ff00"},
            {"name_bytes": "fe", "value": "odd name"},
            {"name": "x-long", "value": "a" * 256 + "…"},
        ],
    } == events.frame()
    assert ["http3:frame_created"] == [name for _, name, _ in events.listed]


def test_many_fields_are_counted() -> None:
    events, http = trace()
    http.frame_parsed(0, 1, 40, [(b"a", b"b")] * (MAX_FIELDS + 5))
    headers = events.frame()["headers"]

    assert isinstance(headers, list)
    assert (MAX_FIELDS, 5) == (len(headers), events.frame()["omitted_headers"])


@pytest.mark.parametrize(
    ("frame_type", "value", "data", "expected"),
    [
        (0, None, b"", {"frame_type": "data"}),
        (3, 1, b"", {"frame_type": "cancel_push", "push_id": 1}),
        (7, 8, b"", {"frame_type": "goaway", "id": 8}),
        (0x0D, 9, b"", {"frame_type": "max_push_id", "push_id": 9}),
        (
            0xF0700,
            4,
            b"u=5",
            {"frame_type": "priority_update", "stream_id": 4, "priority_field_value": "u=5"},
        ),
        (0xF0701, 4, b"i", {"frame_type": "priority_update", "push_id": 4, "priority_field_value": "i"}),
        (0x21 + 0x1F * 7, None, b"", {"frame_type": "reserved", "frame_type_bytes": 0xFA}),
        (0x1234, None, b"", {"frame_type": "unknown", "frame_type_bytes": 0x1234}),
    ],
)
def test_frames(frame_type: int, value: int | None, data: bytes, expected: dict[str, object]) -> None:
    events, http = trace()
    http.frame_parsed(0, frame_type, 5, value=value, data=data)

    assert {**expected, "raw": {"payload_length": 5}} == events.frame()
    assert 0 == events.listed[0][2]["stream_id"]


def test_the_rest_of_what_an_engine_tells() -> None:
    events, http = trace()
    http.datagram_created(8, 100)
    http.datagram_parsed(12, 50)
    http.priority_updated(4, b"u=1")
    http.push_resolved(1, "abandoned")
    http.stream_failed(4, 0x10C, "gone", False)
    http.connection_failed(0x105, "unexpected frame")

    assert [
        ("http3:datagram_created", {"quarter_stream_id": 2, "raw": {"payload_length": 100}}),
        ("http3:datagram_parsed", {"quarter_stream_id": 3, "raw": {"payload_length": 50}}),
        ("http3:priority_updated", {"stream_id": 4, "new": "u=1", "trigger": "client_signal_received"}),
        ("http3:push_resolved", {"push_id": 1, "decision": "abandoned"}),
        ("loglevel:warning", {"code": 0x10C, "message": "stream 4 failed (remote): gone"}),
        ("loglevel:error", {"code": 0x105, "message": "unexpected frame"}),
    ] == [(name, data) for _, name, data in events.listed]
