"""Offering a preferred address, and believing it or not. RFC 9000 §9.6, §21.5.3."""

import pytest

from qcore.batch import Address
from qcore.config import QuicConfig
from qcore.paths.preferred import choose, offer
from qwire.preferred_address import PreferredAddress

CID, TOKEN = bytes(range(8)), bytes(range(16))
GLOBAL_4 = "93.184.216.34"
GLOBAL_6 = "2606:2800:220:1::1"


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([(GLOBAL_4, 443)], (bytes((93, 184, 216, 34)), 443, bytes(16), 0)),
        ([("::1", 5)], (bytes(4), 0, bytes(15) + b"\1", 5)),
        ([("::1", 5), ("10.0.0.1", 65_535)], (bytes((10, 0, 0, 1)), 65_535, bytes(15) + b"\1", 5)),
    ],
)
def test_offers_one_address_of_each_family(
    addresses: list[tuple[str, int]], expected: tuple[bytes, int, bytes, int]
) -> None:
    assert PreferredAddress(*expected, CID, TOKEN) == offer(addresses, CID, TOKEN)


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ([], "no preferred"),
        ([("10.0.0.1", 1), ("10.0.0.2", 1)], "more than one"),
        ([("::1", 1), ("::2", 1)], "more than one"),
        ([("10.0.0.1", 0)], "cannot be"),
        ([("10.0.0.1", 65_536)], "cannot be"),
        ([("0.0.0.0", 443)], "cannot be"),
        ([("::", 443)], "cannot be"),
        ([("224.0.0.1", 443)], "cannot be"),
        ([("example.com", 443)], "IPv"),
    ],
)
def test_offers_nothing_that_nobody_could_use(addresses: list[tuple[str, int]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        offer(addresses, CID, TOKEN)
    if addresses:
        with pytest.raises(ValueError, match=reason):
            QuicConfig(preferred_addresses=tuple(addresses))


@pytest.mark.parametrize(
    ("offered", "present", "expected"),
    [
        ([("10.0.0.2", 5)], ("10.0.0.1", 443), ("10.0.0.2", 5)),
        ([(GLOBAL_4, 5)], ("10.0.0.1", 443), (GLOBAL_4, 5)),
        ([(GLOBAL_4, 5)], ("127.0.0.1", 443), (GLOBAL_4, 5)),
        ([("127.0.0.2", 5)], ("127.0.0.1", 443), ("127.0.0.2", 5)),
        ([(GLOBAL_4, 5)], ("::ffff:10.0.0.1", 443, 0, 0), (f"::ffff:{GLOBAL_4}", 5, 0, 0)),
        ([(GLOBAL_6, 5)], ("2606::1", 443, 0, 0), (GLOBAL_6, 5, 0, 0)),
        ([("fe80::2", 5)], ("fe80::1%eth0", 443, 0, 3), ("fe80::2", 5, 0, 3)),
        # Of the other family only, or nearer than the server is.
        ([(GLOBAL_6, 5)], ("10.0.0.1", 443), None),
        ([(GLOBAL_4, 5)], ("2606::1", 443, 0, 0), None),
        ([("10.0.0.2", 5)], (GLOBAL_4, 443), None),
        ([("127.0.0.1", 5)], (GLOBAL_4, 443), None),
        ([("127.0.0.1", 5)], ("10.0.0.1", 443), None),
        ([("169.254.1.1", 5)], (GLOBAL_4, 443), None),
        ([("169.254.1.1", 5)], ("192.168.1.1", 443), None),
        ([("127.0.0.1", 5)], (f"::ffff:{GLOBAL_4}", 443, 0, 0), None),
        ([("::1", 5)], ("2606::1", 443, 0, 0), None),
        ([("fe80::1", 5)], ("2606::1", 443, 0, 0), None),
        ([("::ffff:127.0.0.1", 5)], ("2606::1", 443, 0, 0), None),
        ([("10.0.0.2", 5)], ("a simulated host", 443), None),
    ],
)
def test_client_goes_to_its_family_and_never_nearer(
    offered: list[tuple[str, int]], present: Address, expected: Address | None
) -> None:
    assert expected == choose(offer(offered, CID, TOKEN), present)


def test_client_goes_nowhere_when_nothing_can_be_sent_there() -> None:
    for value in (
        PreferredAddress(bytes(4), 443, bytes(16), 0, CID, TOKEN),
        PreferredAddress(bytes((224, 0, 0, 1)), 443, bytes(16), 0, CID, TOKEN),
        PreferredAddress(bytes((10, 0, 0, 2)), 0, bytes(16), 0, CID, TOKEN),
    ):
        assert choose(value, ("10.0.0.1", 443)) is None
