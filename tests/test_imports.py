"""What importing a client or a server brings along, told without a clock: by the modules that are loaded."""

import subprocess
import sys
from typing import Final

import pytest

TELL: Final = """
import sys
bare = set(sys.modules)
import {module}
print(*sorted(set(sys.modules) - bare))
"""

# Slow to load, and of no use before a certificate is read, a server serves, or somebody asks for it.
SELDOM: Final = (
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "ctypes",
    "email",
    "http",
    "importlib.metadata",
    "json",
    "multiprocessing",
    "qcore.aio.workers",
    "qcore.congestion.bbr",
    "qcore.congestion.new_reno",
    "qcore.engine.guard",
    "qcore.engine.summary",
    "qcore.ids.routable",
    "qcore.paths.preferred",
    "qcore.stats",
    "qhttp3.guard",
    "qtls.certificates",
    "qtls.ech",
    "qtls.hpke",
    "qtls.tickets",
    "qtls.verification",
    "tempfile",
)
# What only those need who let others in.
SERVING: Final = (
    "qcore.admission",
    "qcore.aio.listener",
    "qcore.early_arrivals",
    "qcore.reception",
    "qcore.tokens",
    "qhttp3.response_order",
    "qtls.server",
)


def loaded(module: str) -> list[str]:
    """Modules that an interpreter has after importing one, and had not before."""
    told = subprocess.run(
        [sys.executable, "-c", TELL.format(module=module)], check=True, capture_output=True, text=True
    )
    return told.stdout.split()


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        pytest.param("qhttp3.aio.client", SELDOM + SERVING, id="client"),
        pytest.param("qcore.aio.endpoint", (*SELDOM, *SERVING, "qhttp3"), id="QUIC"),
        pytest.param("qhttp3.aio.server", SELDOM, id="server"),
        pytest.param(
            "qcore", ("asyncio", "cryptography", "qcore.config", "qtls", "qwire"), id="qcore by itself"
        ),
        pytest.param("qhttp3", ("asyncio", "qcore", "qhttp3.engine"), id="qhttp3 by itself"),
        pytest.param("qtls", ("cryptography", "qtls.config"), id="qtls by itself"),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(module: str, unwanted: tuple[str, ...]) -> None:
    assert [] == sorted({*loaded(module)} & {*unwanted})


MAKERS: Final = """
import dataclasses, sys
import {module}
made = [
    f"{{name}}.{{kind.__name__}}"
    for name, module in list(sys.modules.items())
    if name.partition(".")[0] in ("qcore", "qhttp3", "qtls", "qwire")
    for kind in vars(module).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == name
]
print(*made)
"""


def test_only_configuration_is_made_of_dataclasses() -> None:
    # Each of them compiles half a dozen functions whenever its module is imported: a millisecond where others take 30 us.
    told = subprocess.run(
        [sys.executable, "-c", MAKERS.format(module="qhttp3.aio.client")],
        check=True,
        capture_output=True,
        text=True,
    )

    assert {
        "qcore.config.AckFrequency",
        "qcore.config.QuicConfig",
        "qcore.packing.habits.PacketHabits",
        "qcore.packing.initial_flight.InOrder",
        "qcore.packing.initial_flight.InitialPolicy",
        "qhttp3.config.H3Config",
        "qhttp3.frames.RawFrame",
        "qhttp3.priority.Priority",
        "qhttp3.qpack.policy.EncoderPolicy",
        "qhttp3.settings.H3Settings",
        "qtls.config.ClientTLS",
        "qtls.config.ServerTLS",
        "qtls.resumption.Session",
    } == {*told.stdout.split()}
