"""The seam of the first flight: what a layout may ask for, and what a policy may say."""

from collections.abc import Sequence
from typing import Any

import pytest

from qcore.errors import FlightError, UsageError
from qcore.packing.initial_flight import (
    Crypto,
    FlightContext,
    FlightReason,
    InitialPolicy,
    InOrder,
    Padding,
    Ping,
    Placement,
    check_layout,
)
from qwire.frames import CryptoFrame

HELLO = bytes(range(100))


def context(
    *,
    rooms: Sequence[int] = (60, 50),
    ranges: Sequence[tuple[int, int]] | None = None,
    base: int = 0,
    reason: FlightReason = FlightReason.FIRST,
) -> FlightContext:
    return FlightContext(HELLO, rooms=rooms, ranges=ranges, reason=reason, random=bytes, base=base)


# A CRYPTO frame costs two bytes beside its data here, four once its offset is above 63.
FITTING: list[Sequence[Sequence[Placement]]] = [
    [[Crypto(0, 57)], [Crypto(57, 100)]],
    [[Crypto(50, 100), Ping()], [Crypto(0, 47)], [Crypto(47, 50)]],
    [[Crypto(0, 10), Ping(), Padding(20), Crypto(90, 100)], [Crypto(10, 57)], [Padding(7), Crypto(57, 90)]],
    [[Crypto(0, 57)], [Crypto(30, 77)], [Crypto(70, 100)]],
    [[Ping()], [Crypto(0, 47)], [Padding(1)], [Crypto(47, 90)], [Crypto(90, 100)]],
]


@pytest.mark.parametrize("plan", FITTING, ids=["two", "three", "mixed", "overlapping", "idle datagrams"])
def test_layout_that_fits(plan: Sequence[Sequence[Placement]]) -> None:
    check_layout(context(), plan)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param([], "at least one datagram", id="nothing"),
        pytest.param(
            [[Crypto(0, 50)], [], [Crypto(50, 90)], [Crypto(90, 100)]], "datagram 1 .* empty", id="empty"
        ),
        pytest.param(
            [[Crypto(0, 58)], [Crypto(58, 100)]], "datagram 0 holds 60 .* puts 61", id="first overflows"
        ),
        pytest.param(
            [[Crypto(0, 40)], [Crypto(40, 87)], [Crypto(87, 100), Padding(40)]],
            "datagram 2 holds 50 .* puts 5",
            id="last overflows by padding",
        ),
        pytest.param(
            [[Crypto(0, 57), Ping()], [Crypto(57, 100)]],
            "datagram 0 holds 60 .* puts 61",
            id="overflows by a PING",
        ),
        pytest.param([[Crypto(0, 50)], [Crypto(51, 97)], [Crypto(97, 100)]], "byte 50 of 100", id="hole"),
        pytest.param(
            [[Crypto(1, 50)], [Crypto(50, 95)], [Crypto(95, 100)]], "byte 0 of 100", id="first byte"
        ),
        pytest.param([[Crypto(0, 50)], [Crypto(50, 95)], [Crypto(95, 99)]], "byte 99 of 100", id="last byte"),
        pytest.param([[Padding(20)]], "byte 0 of 100", id="only padding"),
        pytest.param([[Crypto(0, 101)]], "0 to 101 are not among 100", id="beyond the end"),
        pytest.param([[Crypto(-1, 10)]], "-1 to 10", id="before the start"),
        pytest.param([[Crypto(10, 10)]], "10 to 10", id="no bytes"),
        pytest.param([[Crypto(20, 10)]], "20 to 10", id="backwards"),
        pytest.param([[Padding(0)]], "a run of 0", id="no padding"),
        pytest.param([[Padding(-4)]], "a run of -4", id="negative padding"),
    ],
)
def test_layout_that_is_refused(plan: Sequence[Sequence[Placement]], reason: str) -> None:
    with pytest.raises(FlightError, match=reason):
        check_layout(context(), plan)


def test_flight_error_is_a_mistake_of_the_caller() -> None:
    assert issubclass(FlightError, UsageError)


@pytest.mark.parametrize(
    ("ranges", "plan", "missing"),
    [
        pytest.param([(10, 20)], [[Crypto(10, 20)]], None, id="just the range"),
        pytest.param([(10, 20)], [[Crypto(0, 40)]], None, id="more than the range"),
        pytest.param([(10, 20), (80, 90)], [[Crypto(80, 90), Crypto(10, 20)]], None, id="two ranges"),
        pytest.param([(10, 20), (80, 90)], [[Crypto(10, 20)]], 80, id="one range missing"),
        pytest.param([(10, 20)], [[Crypto(10, 15), Crypto(16, 20)]], 15, id="hole in a range"),
        pytest.param([(10, 20)], [[Crypto(12, 20)]], 10, id="begins too late"),
    ],
)
def test_probe_has_to_place_what_was_lost(
    ranges: list[tuple[int, int]], plan: Sequence[Sequence[Placement]], missing: int | None
) -> None:
    flight = context(ranges=ranges, reason=FlightReason.PROBE)
    if missing is None:
        check_layout(flight, plan)
        return
    with pytest.raises(FlightError, match=f"byte {missing} "):
        check_layout(flight, plan)


@pytest.mark.parametrize(
    ("base", "start", "stop"), [(0, 0, 10), (0, 60, 70), (0, 64, 70), (1 << 20, 0, 63), (63, 1, 100)]
)
def test_crypto_size_is_that_of_the_frame(base: int, start: int, stop: int) -> None:
    frame = CryptoFrame(base + start, HELLO[start:stop])

    assert frame.size() == context(base=base).crypto_size(start, stop)


def test_last_room_repeats() -> None:
    flight = context(rooms=(60, 50))

    assert [60, 50, 50, 50] == [flight.room(index) for index in range(4)]


def test_everything_is_to_be_placed_unless_said_otherwise() -> None:
    assert ((0, 100),) == context().ranges
    assert ((5, 7),) == context(ranges=[(5, 7)]).ranges


def test_ordinary_path_places_nothing() -> None:
    assert InOrder().lay_out(context()) is None


# Policy


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("source_cid_size", -1, "0 to 20"),
        ("source_cid_size", 21, "0 to 20"),
        ("destination_cid_size", 7, "8 to 20"),  # RFC 9000 §7.2
        ("destination_cid_size", 21, "8 to 20"),
        ("packet_number_sizes", (0,), "1 to 4"),
        ("packet_number_sizes", (1, 5), "1 to 4"),
        ("first_packet_number", -1, "first packet number"),
        ("first_packet_number", 1 << 62, "first packet number"),
        ("datagram_size", 1199, "1200 to 65527"),  # RFC 9000 §14.1
        ("datagram_size", 65_528, "1200 to 65527"),
        ("datagram_size_ipv6", 1199, "1200 to 65527"),
        ("padding", "nothing", "padding"),
        ("length_size", 1, "2, 4 or 8"),
        ("length_size", 3, "2, 4 or 8"),
        ("skip_before_probe", -1, "skip"),
        ("probes_per_timeout", 0, "probes"),
        ("initial_rtt", 0.0, "round-trip time"),
        ("initial_rtt", -1.0, "round-trip time"),
    ],
)
def test_policy_that_is_refused(field: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        InitialPolicy(**{field: value})  # type: ignore[arg-type]  # wrong on purpose


def test_first_packet_number_has_to_fit_its_size() -> None:  # RFC 9000 A.3: the peer has nothing to go by yet
    InitialPolicy(first_packet_number=255, packet_number_sizes=(1,))
    with pytest.raises(ValueError, match="256 .* 1 byte"):
        InitialPolicy(first_packet_number=256, packet_number_sizes=(1,))
    with pytest.raises(ValueError, match="65536 .* 2 byte"):
        InitialPolicy(first_packet_number=65_536, packet_number_sizes=(2, 4))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((), [0, 0, 0]), ((1,), [1, 1, 1]), ((1, 2), [1, 2, 2]), ((4, 1, 3), [4, 1, 3])],
)
def test_packet_number_sizes_in_turn(sizes: tuple[int, ...], expected: list[int]) -> None:
    policy = InitialPolicy(packet_number_sizes=sizes)

    assert expected == [policy.packet_number_size(index) for index in range(3)]


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "is_ipv6", "size"),
    [
        (1250, None, False, 1250),
        (1250, None, True, 1250),
        (1250, 1230, True, 1230),
        (1250, 1230, False, 1250),
    ],
)
def test_size_for_an_address_family(ipv4: int, ipv6: int | None, is_ipv6: bool, size: int) -> None:
    assert size == InitialPolicy(datagram_size=ipv4, datagram_size_ipv6=ipv6).size_for(is_ipv6, 0)


def test_sizes_of_the_first_datagrams() -> None:
    policy = InitialPolicy(datagram_size=1_250, datagram_size_ipv6=1_230, first_datagram_sizes=(1_300, 1_220))

    assert [1_300, 1_220, 1_250, 1_250] == [policy.size_for(False, index) for index in range(4)]
    assert [1_280, 1_200, 1_230, 1_230] == [policy.size_for(True, index) for index in range(4)]
    assert (1_300, 1_280) == (policy.largest_size(False), policy.largest_size(True))


@pytest.mark.parametrize(
    "values",
    [
        {"first_datagram_sizes": (1_199,)},
        {"first_datagram_sizes": (1_210,), "datagram_size": 1_250, "datagram_size_ipv6": 1_230},
        {"packet_number_skips": (0, -1)},
        {"packet_number_skips": (1 << 20,)},
    ],
)
def test_policy_that_cannot_be_kept_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1200 to 65527|cannot skip"):
        InitialPolicy(**values)
