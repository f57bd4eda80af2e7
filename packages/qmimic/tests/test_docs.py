"""The documentation shows what there is. What its profiles do is tested in `test_specs`."""

import re
from pathlib import Path

from qmimic import ClientProfile, fingerprint
from qmimic.catalog import ALIASES, BUILT_IN
from qmimic.draw import draw_flows

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mimicry.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SPECS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "examples" / "specs").glob("*.toml")}


def test_the_page_shows_the_files_of_the_examples() -> None:
    assert set(SPECS.values()) == set(BLOCKS)


def test_the_page_has_every_kind_of_specification() -> None:
    for word in (
        "QUICFrames",
        "QUICRandomFrames",
        "QUICMultiDatagramFrames",
        "QUICFlightFrames",
        "QUICRandomFlightFrames",
        "InitialPackets",
        "InitPacketNumberLengths",
        "ClientTokenLength",
        "ClientTokenPrefix",
        "SuppressTransportParameters",
        "RandomizeTransportParameters",
        "VariableLengthGREASEQTP",
    ):
        assert word in PAGE


def test_the_profile_of_the_readme_is_one() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    mine = ClientProfile.from_toml(text)
    [flow] = draw_flows(mine, seed=1, server_names=["www.example.com"])

    assert f"qmimic draw {mine.name}.toml" in readme
    assert [1250, 1250] == [len(data) for data in flow.payloads]
    assert 70 == len(fingerprint(flow.payloads)[0].flight.header.token)


def test_the_readme_names_all_profiles_and_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [] == [name for name in (*BUILT_IN, *ALIASES) if f"`{name}`" not in readme]
    for command in ("demo", "get", "serve", "draw", "fingerprint", "dissect", "learn", "diff", "lint"):
        assert f"`qmimic {command}" in readme
