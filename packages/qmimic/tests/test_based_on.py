"""Files that say only what is different from another profile."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from qmimic import ClientProfile, ProfileError, profile
from qmimic.adapters.cli import cli
from qmimic.adapters.cli.profile_option import find_profile
from qmimic.layouts import InOrder, MultiChaos
from qmimic.tokens import RandomToken

CHROME = profile("chrome")


def read(text: str) -> ClientProfile:
    return ClientProfile.from_toml(text)


def test_nothing_said_is_nothing_changed() -> None:
    assert replace(CHROME, provenance="based on chrome-156") == read('based_on = "chrome"')


def test_keys_of_a_table_are_changed_one_by_one() -> None:
    mine = read('based_on = "chrome"\nname = "mine"\n[header]\ndatagram_size = 1300\n')

    assert "mine" == mine.name
    assert replace(CHROME.header, datagram_size=1300) == mine.header
    assert CHROME.hello == mine.hello


def test_a_table_of_another_kind_takes_the_place_of_the_old_one() -> None:
    assert InOrder() == read('based_on = "chrome"\n[layout]\nkind = "in-order"\n').layout
    token = '[header.token]\nkind = "random-token"\nsize = 9\n'
    assert RandomToken(size=9) == read(f'based_on = "chrome"\n{token}').header.token


def test_a_table_of_the_same_kind_is_changed() -> None:
    for kind in ("", 'kind = "multi-chaos"\n'):
        mine = read(f'based_on = "chrome"\n[layout]\n{kind}min_head = 70\n')
        assert MultiChaos(min_head=70) == mine.layout


def test_arrays_are_replaced() -> None:
    mine = read('based_on = "firefox"\n[header]\npacket_number_sizes = [2]\n[engine]\nversions = [1]\n')

    assert ((2,), (1,)) == (mine.header.packet_number_sizes, mine.engine.versions)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('based_on = "netscape"', "based_on: no profile named 'netscape'"),
        ("based_on = 3", "based_on: the name of a profile is needed"),
        ('based_on = "chrome"\ncolour = "red"', "unknown key 'colour'"),
        ('based_on = "chrome"\n[header]\ndatagram_size = "big"', "header.datagram_size: int is needed"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ProfileError, match=reason):
        read(text)


def test_files_may_be_based_on_files_beside_them(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('based_on = "firefox"\nname = "a"\n[header]\ndatagram_size = 1300\n')
    (tmp_path / "b.toml").write_text('based_on = "a.toml"\nname = "b"\n[header]\nsource_cid_size = 9\n')
    found = find_profile(str(tmp_path / "b.toml"))

    assert ("b", "based on a") == (found.name, found.provenance)
    assert (1300, 9) == (found.header.datagram_size, found.header.source_cid_size)


def test_a_circle_of_files_is_misuse(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('based_on = "a.toml"')
    result = CliRunner().invoke(cli, ["show", str(tmp_path / "a.toml")])

    assert 2 == result.exit_code
    assert "more than 8 files based on each other" in result.output
