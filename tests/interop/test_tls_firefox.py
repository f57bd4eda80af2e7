"""TLS of our server against Firefox: post-quantum groups, HelloRetryRequest, resumption with 0-RTT."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qtls.constants import SECP256R1, SECP384R1, X25519, X25519MLKEM768

from .certificates import Certificates
from .conftest import Answer, needed, run
from .servers import Server
from .watched import Watched, watched_server

pytestmark = [pytest.mark.peer, pytest.mark.browser]

TIME = 120.0
# HTTP/3 without a first visit over TCP, our authority, and nothing that Firefox does by itself.
PREFERENCES = """
user_pref("network.http.http3.enable", true);
user_pref("network.http.http3.alt-svc-mapping-for-testing", "localhost;h3=:{port}");
user_pref("network.http.http3.disable_when_third_party_roots_found", false);
user_pref("network.dns.disableIPv6", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
"""

Load = Callable[[Server], Answer]


@pytest.fixture
def load_with_firefox(certificates: Certificates, tmp_path: Path) -> Load:
    """Loads the page of a server over HTTP/3; what it did is seen at the server."""
    firefox, certutil = needed("firefox-esr", "firefox"), needed("certutil")

    def load(server: Server) -> Answer:
        profile = tmp_path / "profile"
        profile.mkdir()
        store = f"sql:{profile}"
        trusted = ["-A", "-n", "tests", "-t", "C,,", "-i", str(certificates.authority)]
        for command in (["-N", "--empty-password"], trusted):
            subprocess.run([certutil, *command, "-d", store], check=True, capture_output=True)
        (profile / "user.js").write_text(PREFERENCES.format(port=server.port))
        picture: list[str | Path] = ["--screenshot", tmp_path / "page.png"]
        return run(
            [firefox, "--headless", "--no-remote", "--profile", profile, *picture, server.url("index.html")]
        )

    return load


def loaded(certificates: Certificates, load: Load, **options: object) -> Watched:
    """Have the page loaded from a server with these options."""

    async def main() -> Watched:
        async with watched_server(certificates, **options) as watched:  # type: ignore[arg-type]  # as given
            answer = await asyncio.to_thread(load, watched.server)
            assert 0 == answer.code, answer.errors
            return watched

    return asyncio.run(asyncio.wait_for(main(), TIME))


@pytest.mark.parametrize(
    ("group", "name"),
    [
        pytest.param(X25519MLKEM768, "X25519MLKEM768", id="X25519MLKEM768"),
        pytest.param(X25519, "x25519", id="x25519"),
        pytest.param(SECP256R1, "secp256r1", id="secp256r1"),
        pytest.param(SECP384R1, "secp384r1", id="secp384r1"),
    ],
)
def test_firefox_uses_the_group(
    group: int, name: str, certificates: Certificates, load_with_firefox: Load
) -> None:
    watched = loaded(certificates, load_with_firefox, groups=(group,))

    assert ["/index.html", "/script.js"] == watched.paths
    assert {name} == {connection.info.group for connection in watched.connections}


def test_firefox_comes_back_with_early_data(certificates: Certificates, load_with_firefox: Load) -> None:
    watched = loaded(certificates, load_with_firefox, closes=True, early_data=True)

    assert ["/index.html", "/script.js"] == watched.paths
    assert [(False, False), (True, True)] == [
        (connection.info.resumed, connection.info.early_accepted) for connection in watched.connections
    ]
