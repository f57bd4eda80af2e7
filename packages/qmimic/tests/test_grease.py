import pytest

from qmimic import grease
from qmimic.randomness import SeededBytes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0x0A0A, True, id="smallest"),
        pytest.param(0xFAFA, True, id="largest"),
        pytest.param(0x1A2A, False, id="unequal bytes"),
        pytest.param(0x1301, False, id="cipher suite"),
    ],
)
def test_tls_values(value: int, expected: bool) -> None:  # RFC 8701 §2
    assert expected is grease.is_tls_value(value)
    assert (0x0A0A if expected else value) == grease.fold_tls(value)


def test_draws_have_the_form_they_are_recognised_by() -> None:
    random = SeededBytes("grease")
    for _ in range(200):
        assert grease.is_tls_value(grease.tls_value(random))
        assert grease.is_version(grease.version(random))
        assert grease.is_parameter(grease.parameter_id(random))
        assert grease.is_http3(grease.http3_code(random))


def test_versions_use_all_their_free_bits() -> None:  # RFC 9000 §15: 0x?a?a?a?a
    random = SeededBytes("versions")
    seen = {grease.version(random) for _ in range(300)}

    assert 290 < len(seen)
    assert all(version & 0x0F0F0F0F == 0x0A0A0A0A for version in seen)
    assert all(len({version >> shift & 0xF for version in seen}) == 16 for shift in (4, 12, 20, 28))


@pytest.mark.parametrize(
    ("parameter_id", "expected"),
    [
        pytest.param(27, 27, id="smallest"),
        pytest.param(31 * 1000 + 27, 27, id="reserved"),
        pytest.param(0xFF02DE1A, 27, id="min_ack_delay happens to be one"),
        pytest.param(0x11, 0x11, id="version_information"),
    ],
)
def test_parameters_fold_to_27(parameter_id: int, expected: int) -> None:
    assert expected == grease.fold_parameter(parameter_id)


def test_parameter_ids_are_spread_over_the_whole_range() -> None:
    random = SeededBytes("ids")
    drawn = [grease.parameter_id(random) for _ in range(400)]

    assert max(drawn) < 1 << 62
    assert 0.45 < sum(drawn) / len(drawn) / (1 << 62) < 0.55


def test_http3_codes() -> None:  # RFC 9114 §7.2.4.1: 0x1f * N + 0x21
    assert grease.is_http3(0x21)
    assert grease.is_http3(0x40)
    assert not grease.is_http3(0x33)
    assert not grease.is_http3(0x02)
