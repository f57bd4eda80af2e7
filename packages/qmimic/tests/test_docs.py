"""The documentation shows what there is. What its profiles do is tested in `test_specs`."""

import re
from pathlib import Path

from qmimic.catalog import ALIASES, BUILT_IN

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


def test_the_readme_names_all_profiles_and_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [] == [name for name in (*BUILT_IN, *ALIASES) if f"`{name}`" not in readme]
    for command in ("demo", "get", "serve", "draw", "fingerprint", "dissect", "learn", "diff", "lint"):
        assert f"`qmimic {command}" in readme
