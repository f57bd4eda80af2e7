import pytest

from qhttp3.datagrams import encode_datagram, parse_datagram
from qhttp3.errors import H3_DATAGRAM_ERROR, ConnectionViolation


def test_round_trip() -> None:  # RFC 9297 §2.1
    assert b"\x01data" == encode_datagram(4, b"data")
    for stream_id in (0, 4, 1 << 20, (1 << 62) - 4):
        assert (stream_id, b"x") == parse_datagram(encode_datagram(stream_id, b"x"))


@pytest.mark.parametrize("data", ["", "40", "d000000000000000"])
def test_refuses_a_bad_quarter_stream_id(data: str) -> None:
    with pytest.raises(ConnectionViolation) as caught:
        parse_datagram(bytes.fromhex(data))

    assert H3_DATAGRAM_ERROR == caught.value.code
