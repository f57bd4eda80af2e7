"""The public names of quicvarint."""

import quicvarint


def test_public_names() -> None:
    assert ["MAX", "VarintError", "append", "append_sized", "parse", "size"] == sorted(quicvarint.__all__)
    for name in quicvarint.__all__:
        assert hasattr(quicvarint, name)
