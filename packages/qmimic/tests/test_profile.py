"""What a draw makes of what is known of a server."""

import pytest

from qmimic.catalog import profile, profiles
from qmimic.errors import ProfileError
from qmimic.profile import ClientProfile, Resumption
from qmimic.randomness import SeededBytes
from qwire.constants import VERSION_1, VERSION_2


def test_limits_of_the_engine_are_those_advertised() -> None:
    drawn = profile("chrome-156").draw(SeededBytes(1))

    assert drawn.quic.parameters is not None
    assert 6_291_456 == drawn.quic.parameters.initial_max_stream_data_uni
    assert 15_728_640 == drawn.quic.parameters.initial_max_data
    assert 30_000 == drawn.quic.parameters.max_idle_timeout
    assert 1472 == drawn.quic.max_udp_payload


@pytest.mark.parametrize("name", [each.name for each in profiles()])
def test_acks_are_delayed_as_browsers_delay_them(name: str) -> None:
    assert not profile(name).draw(SeededBytes(1)).quic.hasty_acks


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        pytest.param("firefox-159", None, (VERSION_1, VERSION_2), id="nothing kept"),
        pytest.param("firefox-159", VERSION_2, (VERSION_2, VERSION_1), id="kept from version 2"),
        pytest.param("firefox-159", 0x1A2A3A4A, (VERSION_1, VERSION_2), id="kept from an unknown version"),
        pytest.param("chrome-156", VERSION_2, (VERSION_1,), id="a client of one version"),
    ],
)
def test_resumed_connections_start_with_the_version_of_their_ticket(
    name: str, version: int | None, expected: tuple[int, ...]
) -> None:
    drawn = profile(name).draw(SeededBytes(1), Resumption(version=version))

    assert expected == drawn.quic.versions
    assert drawn.quic.parameters is not None
    assert expected[0] == int.from_bytes((drawn.quic.parameters.get(0x11) or b"")[:4], "big")


def test_tokens_and_round_trip_times_are_used() -> None:
    drawn = profile("chrome-156").draw(SeededBytes(1), Resumption(token=b"token", rtt=0.02))
    fresh = profile("chrome-156").draw(SeededBytes(1))

    assert b"token" == drawn.quic.token
    assert drawn.quic.parameters is not None and fresh.quic.parameters is not None
    assert b"\x80\0\x4e\x20" == drawn.quic.parameters.get(0x3127)
    assert fresh.quic.parameters.get(0x3127) is None


def test_aliases_follow_the_newest() -> None:
    assert profile("chrome") is profile("chrome-156") is profile()
    assert profile("firefox") is profile("firefox-159")


def test_every_profile_says_where_it_comes_from() -> None:
    for info in profiles():
        assert info.provenance and info.client and info.version and info.platform


def test_unknown_profiles_are_refused() -> None:
    with pytest.raises(ProfileError, match="no profile named 'opera'; there are chrome, firefox"):
        profile("opera")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("name = ", "not TOML", id="syntax"),
        pytest.param('name = "x"', "client: missing", id="missing"),
        pytest.param(
            'name = "x"\nclient = "c"\nversion = "1"\n[layout]\nkind = "spiral"',
            "kind must be one of",
            id="kind",
        ),
        pytest.param(
            'name = "x"\nclient = "c"\nversion = "1"\n[layout]\nkind = "chaos"\nmin_cuts = 5\nmax_cuts = 2',
            "layout: the number of cuts cannot be drawn between 5 and 2",
            id="range",
        ),
    ],
)
def test_files_with_mistakes_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ProfileError, match=reason):
        ClientProfile.from_toml(text)
