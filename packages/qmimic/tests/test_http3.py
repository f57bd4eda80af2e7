import pytest

from qhttp3.config import StreamKind
from qmimic import grease
from qmimic.catalog import profile
from qmimic.http3 import Header, Http3Spec, ReservedFrame, ReservedSetting, Setting, relation
from qmimic.randomness import SeededBytes

SPEC = Http3Spec(
    settings=(Setting(id=1, value=65_536), ReservedSetting(), Setting(id=0x33, value=1)),
    reserved_frame=ReservedFrame(min_length=0, max_length=3),
    headers=(Header(name="accept", value="*/*"), Header(name="priority", value="u=0, i")),
)


def test_settings_keep_their_order_and_draw_the_reserved_one() -> None:
    first = SPEC.draw(SeededBytes(1)).settings.pairs()
    second = SPEC.draw(SeededBytes(2)).settings.pairs()

    assert [(1, 65_536), (0x33, 1)] == [first[0], first[2]]
    assert grease.is_http3(first[1][0])
    assert first[1] != second[1]


def test_reserved_frames_vary_in_length() -> None:
    frames = [SPEC.draw(SeededBytes(seed)).control_frames[0] for seed in range(60)]

    assert {0, 1, 2, 3} == {len(frame.payload) for frame in frames}
    assert all(grease.is_http3(frame.type) for frame in frames)


def test_chromes_settings_are_those_of_its_captures() -> None:
    spec = profile("chrome-156").http3
    assert spec is not None
    config = spec.draw(SeededBytes(1))
    pairs = config.settings.pairs()

    assert [(1, 65_536), (6, 262_144), (7, 100), (0x33, 1)] == pairs[:-1]
    assert grease.is_http3(pairs[-1][0])
    # Its control stream is 2, the encoder's 10, the decoder's 6, opened only when there is something to say.
    assert (StreamKind.CONTROL, StreamKind.DECODER, StreamKind.ENCODER) == config.stream_order
    assert {StreamKind.DECODER, StreamKind.ENCODER} == config.lazy_streams


def test_headers_of_the_caller_take_the_place_of_the_profiles() -> None:
    given = [("X-One", "1"), ("Accept", "text/plain"), ("x-two", "2")]

    assert [
        ("accept", "text/plain"),
        ("priority", "u=0, i"),
        ("x-one", "1"),
        ("x-two", "2"),
    ] == SPEC.complete(given)


def test_an_empty_header_takes_the_profiles_away() -> None:
    assert [("accept", "*/*")] == SPEC.complete([("priority", "")])


def test_repeated_headers_stay_together() -> None:
    assert [("accept", "a"), ("accept", "b"), ("priority", "u=0, i")] == SPEC.complete(
        [("accept", "a"), ("accept", "b")]
    )


#: Requests of captured visits: destination, and the names of fields in their order.
CHROMES = (
    "sec-ch-ua-platform user-agent sec-ch-ua sec-ch-ua-mobile accept sec-fetch-site sec-fetch-mode sec-fetch-dest "
    "referer accept-encoding accept-language priority"
)
FIREFOXES = "user-agent accept accept-language accept-encoding {} sec-fetch-dest sec-fetch-mode sec-fetch-site priority"
PAGE = "https://www.example.org/page?query"


@pytest.mark.parametrize(
    ("name", "destination", "names", "mode", "priority"),
    [
        ("chrome-156", "style", CHROMES, "no-cors", "u=0"),
        ("chrome-156", "script", CHROMES, "no-cors", "u=1"),
        ("chrome-146", "image", CHROMES, "no-cors", "u=2, i"),
        ("chrome-156", "empty", CHROMES, "cors", "u=1, i"),
        ("firefox-159", "style", FIREFOXES.format("alt-used referer"), "no-cors", "u=2"),
        ("firefox-esr-153", "image", FIREFOXES.format("alt-used referer"), "no-cors", "u=5, i"),
        ("firefox-159", "empty", FIREFOXES.format("referer alt-used"), "cors", "u=4"),
    ],
)
def test_what_a_page_asks_for_has_other_headers(
    name: str, destination: str, names: str, mode: str, priority: str
) -> None:
    spec = profile(name).http3
    assert spec is not None
    fields = spec.complete([], "www.example.org", destination, PAGE)
    values = dict(fields)

    assert names.split() == [field for field, _ in fields]
    assert (destination, mode, priority) == (
        values["sec-fetch-dest"],
        values["sec-fetch-mode"],
        values["priority"],
    )
    assert ("same-origin", PAGE) == (values["sec-fetch-site"], values["referer"])


@pytest.mark.parametrize(
    ("authority", "referer", "expected"),
    [
        ("www.example.org", PAGE, ("same-origin", PAGE)),
        ("cdn.www.example.org", PAGE, ("same-site", "https://www.example.org/")),
        ("example.org:444", PAGE, ("same-site", "https://www.example.org/")),
        ("example.net", PAGE, ("cross-site", "https://www.example.org/")),
        ("ample.org", "https://example.org/", ("cross-site", "https://example.org/")),
        ("example.org", "", ("same-origin", "")),
    ],
)
def test_relation_of_a_page_to_what_it_asks_for(
    authority: str, referer: str, expected: tuple[str, str]
) -> None:
    assert expected == relation(authority, referer)


def test_unknown_destinations_are_refused() -> None:
    spec = profile("firefox").http3
    assert spec is not None
    with pytest.raises(ValueError, match="no destination 'font'; there are document, style, script, image"):
        spec.complete([], "a.example", "font")
    with pytest.raises(ValueError, match="there are document$"):
        SPEC.complete([], "a.example", "style")


def test_a_page_may_come_from_another() -> None:
    assert ("referer", PAGE) == SPEC.complete([], "a.example", referer=PAGE)[-1]
