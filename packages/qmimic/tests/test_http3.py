from qhttp3.config import StreamKind
from qmimic import grease
from qmimic.catalog import profile
from qmimic.http3 import Header, Http3Spec, ReservedFrame, ReservedSetting, Setting
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
