import pytest

from qhttp3.qpack import field_lines
from qhttp3.qpack.decoder import Decoder


@pytest.mark.parametrize(
    ("line", "encoded"),
    [
        pytest.param(field_lines.indexed_static(17), "d1", id="indexed static"),
        pytest.param(field_lines.indexed_static(98), "ff23", id="indexed static beyond the prefix"),
        pytest.param(field_lines.indexed_dynamic(1), "81", id="indexed dynamic"),
        pytest.param(field_lines.indexed_post_base(1), "11", id="indexed post-base"),
        pytest.param(field_lines.literal_static_name(1, b"/index.html"), "51", id="static name"),
        pytest.param(field_lines.literal_dynamic_name(2, b"\xff"), "4201ff", id="dynamic name"),
        pytest.param(field_lines.literal_post_base_name(2, b"\xff"), "0201ff", id="post-base name"),
        pytest.param(field_lines.literal(b"\xfe", b"\xff"), "21fe01ff", id="literal"),
        pytest.param(
            field_lines.literal_static_name(84, b"\xff", True), "7f4501ff", id="static name, sensitive"
        ),
        pytest.param(
            field_lines.literal_dynamic_name(2, b"\xff", True), "6201ff", id="dynamic name, sensitive"
        ),
        pytest.param(
            field_lines.literal_post_base_name(2, b"\xff", True), "0a01ff", id="post-base name, sensitive"
        ),
        pytest.param(field_lines.literal(b"\xfe", b"\xff", True), "31fe01ff", id="literal, sensitive"),
    ],
)
def test_lines(line: bytes, encoded: str) -> None:  # RFC 9204 §4.5
    assert line.hex().startswith(encoded)


@pytest.mark.parametrize(
    ("required", "base", "encoded"),
    [
        pytest.param(0, 0, "0000", id="no dynamic reference"),
        pytest.param(2, 0, "0381", id="RFC 9204 B.2"),
        pytest.param(4, 4, "0500", id="RFC 9204 B.4"),
        pytest.param(9, 12, "0a03", id="base beyond"),
        pytest.param(257, 257, "0200", id="wrapped"),
    ],
)
def test_prefixes(required: int, base: int, encoded: str) -> None:  # RFC 9204 §4.5.1
    assert encoded == field_lines.section_prefix(required, base, 128).hex()


def test_strings_are_huffman_coded_only_if_that_is_shorter() -> None:
    assert b"\x02\xff\xff" == field_lines.string(b"\xff\xff")
    assert "8cf1e3c2e5f23a6ba0ab90f4ff" == field_lines.string(b"www.example.com").hex()


def test_a_sensitive_line_decodes_like_any_other() -> None:
    line = field_lines.literal(b"x-key", b"secret", True)

    assert [(b"x-key", b"secret")] == Decoder().decode(0, field_lines.EMPTY_PREFIX + line)
