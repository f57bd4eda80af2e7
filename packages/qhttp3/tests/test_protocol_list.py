import pytest

from qhttp3.protocol_list import agreed_protocol, encode_protocols, parse_protocols


@pytest.mark.parametrize(
    ("text", "protocols"),
    [
        ('"a"', ["a"]),
        ('"a", "b c"', ["a", "b c"]),
        ('"a";q=1 ,\t"b"', ["a", "b"]),
        (r'"with \"quotes\" and \\"', ['with "quotes" and \\']),
        ("", []),
        ("a, b", []),  # tokens are no strings
        ('"a", ', []),
        ('"a" "b"', []),
        ('"a', []),
        ('"é"', []),
        (r'"\a"', []),
    ],
)
def test_lists_are_read_as_rfc_9651_has_them(text: str, protocols: list[str]) -> None:
    assert protocols == parse_protocols(text.encode())


def test_what_is_written_can_be_read() -> None:
    protocols = ["moq-00", 'odd "one"', "back\\slash", "a, b"]
    assert protocols == parse_protocols(encode_protocols(protocols))


@pytest.mark.parametrize("protocol", ["line\nbreak", "é"])
def test_what_cannot_be_written_is_refused(protocol: str) -> None:
    with pytest.raises(ValueError, match="protocol"):
        encode_protocols([protocol])


def test_the_clients_order_decides() -> None:
    assert "b" == agreed_protocol(["x", "b", "a"], ["a", "b"])
    assert agreed_protocol(["x"], ["a"]) is None
