"""The layouts in the documentation are layouts, and place a ClientHello."""

import re
import tomllib
from pathlib import Path

import pytest

from qcore.packing.initial_flight import FlightContext, check_layout
from qmimic import toml
from qmimic.catalog import ALIASES, BUILT_IN
from qmimic.profile import Layout
from qmimic.randomness import SeededBytes

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mimicry.md").read_text(encoding="utf-8")
BLOCKS = [
    (part.splitlines()[0], found[0])
    for part in PAGE.split("### ")
    if (found := re.findall(r"```toml\n(.*?)```", part, re.DOTALL))
]


@pytest.mark.parametrize("text", [pytest.param(text, id=title) for title, text in BLOCKS])
@pytest.mark.parametrize("seed", range(5))
def test_layouts_of_the_page_place_every_byte(text: str, seed: int) -> None:
    layout = toml.converted(Layout, tomllib.loads(text)["layout"], "layout")
    size = 1100 if len(tomllib.loads(text)["layout"].get("datagrams", [1])) == 1 else 1750
    flight = FlightContext(bytes(size), rooms=[1215], random=SeededBytes(seed))
    plan = layout.lay_out(flight)

    assert plan is not None
    check_layout(flight, plan)


def test_the_page_has_every_kind_of_specification() -> None:
    assert 6 == len(BLOCKS)
    for word in ("QUICFrames", "QUICRandomFrames", "QUICMultiDatagramFrames", "QUICFlightFrames"):
        assert word in PAGE


def test_the_readme_names_all_profiles_and_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [] == [name for name in (*BUILT_IN, *ALIASES) if f"`{name}`" not in readme]
    for command in ("demo", "get", "serve", "draw", "fingerprint", "dissect", "learn", "diff", "lint"):
        assert f"`qmimic {command}" in readme
