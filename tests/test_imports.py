"""What importing a client or a server brings along, told without a clock: by the modules that are loaded."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parent.parent

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
    "cryptography.hazmat.primitives.asymmetric.ec",
    "ctypes",
    "dataclasses",
    "email",
    "hashlib",
    "hmac",
    "http",
    "importlib.metadata",
    "ipaddress",
    "json",
    "multiprocessing",
    "qcore.admission",
    "qcore.aio.path",
    "qcore.aio.udp_transport",
    "qcore.aio.workers",
    "qcore.congestion.bbr",
    "qcore.congestion.new_reno",
    "qcore.engine.guard",
    "qcore.engine.summary",
    "qcore.ids.routable",
    "qcore.paths.preferred",
    "qcore.stats",
    "qhttp3.aio.sessions",
    "qhttp3.guard",
    "qhttp3.observer",
    "qhttp3.priority",
    "qhttp3.raw_frame",
    "qhttp3.session_streams",
    "qtls.certificates",
    "qtls.ech",
    "qtls.outer_parameters",
    "qtls.hpke",
    "qtls.nist_curves",
    "qtls.tickets",
    "qtls.verification",
    "random",
    "tempfile",
    "urllib",
    "zlib",
)
# What only those need who let others in.
SERVING: Final = (
    "qcore.aio.listener",
    "qcore.early_arrivals",
    "qcore.reception",
    "qcore.tokens",
    "qhttp3.response_order",
    "qtls.server",
    "qtls.server_states",
)
# What only those need who dial.
DIALLING: Final = ("qtls.client", "qtls.client_offer", "qtls.client_states")


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
        pytest.param("qhttp3.aio.server", SELDOM + DIALLING, id="server"),
        pytest.param(
            "qcore", ("asyncio", "cryptography", "qcore.config", "qtls", "qwire"), id="qcore by itself"
        ),
        pytest.param("qhttp3", ("asyncio", "qcore", "qhttp3.engine"), id="qhttp3 by itself"),
        pytest.param("qtls", ("cryptography", "qtls.config"), id="qtls by itself"),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(module: str, unwanted: tuple[str, ...]) -> None:
    assert [] == sorted({*loaded(module)} & {*unwanted})


@pytest.mark.parametrize("module", ["light_dataclass", "values"])
def test_what_two_packages_hold_is_the_same_in_both(module: str) -> None:
    copies = [ROOT / f"packages/{name}/src/{name}/{module}.py" for name in ("qtls", "qhttp3")]

    assert 1 == len({path.read_text() for path in copies})
