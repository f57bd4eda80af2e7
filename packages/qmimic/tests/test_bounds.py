"""Numbers that no profile can have are refused when it is made or read, in words; none takes time or memory."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from qcore.errors import UsageError
from qmimic import ClientProfile, ProfileError
from qmimic.catalog import BUILT_IN
from qmimic.draw import draw_flows
from qmimic.extensions import (
    CompressCertificate,
    EchGrease,
    Grease,
    KeyShare,
    PskKeyExchangeModes,
    Raw,
    RecordSizeLimit,
    SupportedGroups,
    TrustAnchors,
)
from qmimic.hello import HelloSpec
from qmimic.http3 import ReservedFrame, ReservedSetting, Setting
from qmimic.layouts import Chaos, MultiChaos, ScatteredDatagram
from qmimic.profile import EngineSpec
from qmimic.sizes import NumberChoice, SizeChoice
from qmimic.tokens import FixedToken, RandomToken
from qmimic.transport_parameters import CachedRtt, Integer, Opaque, Reserved, VersionInformation

HUGE: Final = 1 << 62
IMPOSSIBLE: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (Integer, {"id": HUGE, "value": 1}),
    (Integer, {"id": 1, "value": HUGE}),
    (Integer, {"id": 1, "value": 1, "size": 3}),
    (Integer, {"id": 1, "value": 64, "size": 1}),
    (Opaque, {"id": -1}),
    (Opaque, {"id": 64, "id_size": 1}),
    (Opaque, {"id": 1, "length_size": 5}),
    (VersionInformation, {"available": (1 << 32,)}),
    (VersionInformation, {"chosen": 1 << 32}),
    (CachedRtt, {"id": HUGE}),
    (Reserved, {"max_length": HUGE}),
    (Reserved, {"min_length": 3, "max_length": 2}),
    (Reserved, {"id_bits": 58}),
    (Setting, {"id": HUGE, "value": 0}),
    (ReservedSetting, {"value_bits": 63}),
    (ReservedFrame, {"max_length": HUGE}),
    (HelloSpec, {"cipher_suites": (1 << 16,), "extensions": ()}),
    (HelloSpec, {"cipher_suites": (), "extensions": (), "session_id_size": 33}),
    (SupportedGroups, {"groups": (1 << 16,)}),
    (KeyShare, {"groups": (-1,)}),
    (CompressCertificate, {"algorithms": (1 << 16,)}),
    (PskKeyExchangeModes, {"modes": (256,)}),
    (RecordSizeLimit, {"limit": 1 << 16}),
    (Raw, {"id": 1 << 16}),
    (Raw, {"id": 1, "value": bytes(1 << 16)}),
    (Grease, {"max_size": HUGE}),
    (TrustAnchors, {"ids": (bytes(256),)}),
    (EchGrease, {"payload_sizes": ()}),
    (EchGrease, {"payload_sizes": (HUGE,)}),
    (EchGrease, {"payload_sizes": (144,), "aeads": ()}),
    (Chaos, {"max_cuts": HUGE}),
    (Chaos, {"min_pings": 3, "max_pings": 2}),
    (MultiChaos, {"head_span": HUGE}),
    (ScatteredDatagram, {"max_crypto": HUGE}),
    (SizeChoice, {"smallest": 9, "largest": 8}),
    (NumberChoice, {"smallest": -1, "largest": 8}),
    (RandomToken, {"size": HUGE}),
    (FixedToken, {"value": bytes(2_000)}),
    (EngineSpec, {"versions": ()}),
    (EngineSpec, {"attempts": 0}),
    (EngineSpec, {"idle_timeout": float("nan")}),
    (EngineSpec, {"handshake_timeout": 0.0}),
]


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        pytest.param(cls, values, id=f"{cls.__name__} {index}")
        for index, (cls, values) in enumerate(IMPOSSIBLE)
    ],
)
def test_impossible_values_are_refused(cls: Callable[..., Any], values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        cls(**values)


VALUE: Final = re.compile(r"(?<== )(\"[^\"]*\"|-?[0-9][0-9a-fx_.]*|true|false|\[[^\[\]{}]*\])(?=[,\n }])")
NUMBERS: Final = ("0", "1", "3", "255", "65536", "1000000000", "4611686018427387904", "-1")
ODD: Final = (*NUMBERS, "true", "{}", '""', '"zz"', '"abcd"', "[]", "[0]", "[70000]", "nan", "inf", "-0.5")


@pytest.mark.parametrize("seed", range(2))
def test_files_with_slips_are_refused_in_words(seed: int) -> None:
    generator = random.Random(seed)
    specs = Path(__file__).parents[1] / "examples" / "specs"
    texts = [
        *(item.to_toml() for item in BUILT_IN.values()),
        *(path.read_text(encoding="utf-8") for path in sorted(specs.glob("*.toml"))),
    ]
    taken = 0
    for _ in range(200):
        text = generator.choice(texts)
        for _ in range(generator.randint(1, 3)):
            found = generator.choice(list(VALUE.finditer(text)))
            odd = NUMBERS if found[0][0].isdigit() and generator.random() < 0.9 else ODD
            text = text[: found.start()] + generator.choice(odd) + text[found.end() :]
        try:
            chosen = ClientProfile.from_toml(text)
            taken += 1
            assert chosen == ClientProfile.from_toml(chosen.to_toml()) or "nan" in text
            list(draw_flows(chosen, seed=1, server_names=["www.example.com"]))
        except (ProfileError, UsageError, ValueError) as error:
            assert str(error).strip()
    assert 5 < taken < 180
