import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhttp3.errors import H3_FRAME_ERROR, H3_SETTINGS_ERROR, ConnectionViolation
from qhttp3.settings import H3Settings, Setting, check_resumed

CHROME = H3Settings([(1, 65536), (6, 262144), (7, 100), (0x33, 1), Setting(31 * 7 + 33, 5, 8, 8)])


def test_order_reserved_entries_and_sizes_survive() -> None:
    payload = CHROME.encode()

    assert CHROME == H3Settings.parse(payload)
    assert payload == H3Settings.parse(payload).encode()
    assert [1, 6, 7, 0x33, 250] == [identifier for identifier, _ in CHROME.pairs()]


def test_the_typed_view() -> None:
    assert (65536, 262144, 100) == (
        CHROME.qpack_max_table_capacity,
        CHROME.max_field_section_size,
        CHROME.qpack_blocked_streams,
    )
    assert (True, False) == (CHROME.h3_datagram, CHROME.enable_connect_protocol)
    assert (0, None, 0) == (
        H3Settings().qpack_max_table_capacity,
        H3Settings().max_field_section_size,
        H3Settings().qpack_blocked_streams,
    )


def test_built_settings_leave_defaults_out() -> None:
    assert [] == H3Settings.build().pairs()
    assert [(1, 4096), (6, 0), (8, 1)] == H3Settings.build(
        qpack_max_table_capacity=4096, max_field_section_size=0, enable_connect_protocol=True
    ).pairs()


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param("0200", H3_SETTINGS_ERROR, id="ENABLE_PUSH of HTTP/2"),  # rigs H10
        pytest.param("0000", H3_SETTINGS_ERROR, id="0x00"),
        pytest.param("0300", H3_SETTINGS_ERROR, id="0x03"),
        pytest.param("0400", H3_SETTINGS_ERROR, id="0x04"),
        pytest.param("0500", H3_SETTINGS_ERROR, id="0x05"),
        pytest.param("01000100", H3_SETTINGS_ERROR, id="twice"),
        pytest.param("0802", H3_SETTINGS_ERROR, id="ENABLE_CONNECT_PROTOCOL 2"),  # RFC 9220 §3
        pytest.param("3302", H3_SETTINGS_ERROR, id="H3_DATAGRAM 2"),  # RFC 9297 §2.1.1
        pytest.param("01", H3_FRAME_ERROR, id="no value"),
        pytest.param("0140", H3_FRAME_ERROR, id="value cut"),
        pytest.param("40", H3_FRAME_ERROR, id="identifier cut"),
    ],
)
def test_refuses_bad_settings(payload: str, code: int) -> None:  # RFC 9114 §7.2.4
    with pytest.raises(ConnectionViolation) as caught:
        H3Settings.parse(bytes.fromhex(payload))

    assert code == caught.value.code


@given(st.binary(max_size=40))
def test_any_payload_parses_or_is_refused(payload: bytes) -> None:
    try:
        settings = H3Settings.parse(payload)
    except ConnectionViolation:
        return
    assert payload == settings.encode()


@pytest.mark.parametrize(
    ("before", "now", "is_fine"),
    [
        pytest.param([(1, 100)], [(1, 100)], True, id="the same"),
        pytest.param([(1, 100)], [(1, 200)], False, id="other table capacity"),
        pytest.param([(1, 100)], [], False, id="table gone"),
        pytest.param([], [(1, 200)], True, id="table where there was none"),
        pytest.param([(7, 5)], [(7, 6)], True, id="more blocked streams"),
        pytest.param([(7, 5)], [(7, 4)], False, id="fewer blocked streams"),
        pytest.param([(6, 100)], [(6, 99)], False, id="smaller sections"),
        pytest.param([(6, 100)], [], True, id="sections of any size"),
        pytest.param([], [(6, 100)], False, id="a limit where there was none"),
        pytest.param([(8, 1)], [(8, 0)], False, id="extended CONNECT gone"),
    ],
)
def test_settings_after_early_data(  # RFC 9114 §7.2.4.2, RFC 9204 §3.2.3
    before: list[tuple[int, int]], now: list[tuple[int, int]], is_fine: bool
) -> None:
    if is_fine:
        check_resumed(H3Settings(before), H3Settings(now))
    else:
        with pytest.raises(ConnectionViolation):
            check_resumed(H3Settings(before), H3Settings(now))


def test_settings_can_be_pickled() -> None:
    assert CHROME == pickle.loads(pickle.dumps(CHROME))
