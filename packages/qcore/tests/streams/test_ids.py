"""Stream IDs. RFC 9000 §2.1."""

import pytest

from qcore.streams import ids


@pytest.mark.parametrize(
    ("stream_id", "is_client", "is_bidi", "index"),
    [
        pytest.param(0, True, True, 0, id="first of a client"),
        pytest.param(1, False, True, 0, id="first of a server"),
        pytest.param(2, True, False, 0, id="first one-way of a client"),
        pytest.param(3, False, False, 0, id="first one-way of a server"),
        pytest.param(4, True, True, 1, id="second of a client"),
        pytest.param(401, False, True, 100, id="hundred and first of a server"),
        pytest.param((1 << 62) - 1, False, False, (1 << 60) - 1, id="largest"),
    ],
)
def test_takes_ids_apart(stream_id: int, is_client: bool, is_bidi: bool, index: int) -> None:
    assert is_client is ids.is_client_initiated(stream_id)
    assert is_bidi is ids.is_bidirectional(stream_id)
    assert index == ids.stream_index(stream_id)
    assert stream_id == ids.stream_id(ids.kind_of(is_client, is_bidi), index)
    assert ids.kind_of(is_client, is_bidi) == ids.stream_kind(stream_id)
