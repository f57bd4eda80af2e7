"""Keys of Initial packets, which anyone on the path can compute.

Usable alone: a destination connection ID and a version are all it takes. RFC 9001 §5.2, RFC 9369 §3.3.1.
"""

from __future__ import annotations

from functools import cache
from typing import Final, final

from .constants import AES_128_GCM_SHA256, QUIC_VERSION_1, QUIC_VERSION_2
from .hkdf import label_info
from .mac import MacKey
from .protection import Opener, Sealer, opener_from_secret, sealer_from_secret

SALTS: Final[dict[int, bytes]] = {
    QUIC_VERSION_1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    QUIC_VERSION_2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
}
# HKDF-Expand-Label of one block hashes the structure and a counter, RFC 5869 §2.3.
CLIENT_IN: Final = label_info(b"client in", b"", 32) + b"\x01"
SERVER_IN: Final = label_info(b"server in", b"", 32) + b"\x01"


@final
class InitialKeys:
    """Both directions of Initial protection; each object is derived when first asked for."""

    __slots__ = ("_client_opener", "_client_sealer", "_secret", "_server_opener", "_server_sealer", "version")

    def __init__(self, destination_cid: bytes, version: int) -> None:
        salt = SALTS.get(version)
        if salt is None:
            raise ValueError(f"QUIC version 0x{version:08x} has no known Initial salt")
        self.version: int = version
        self._secret = MacKey("sha256", _salted(salt).digest(destination_cid))
        self._client_sealer: Sealer | None = None
        self._client_opener: Opener | None = None
        self._server_sealer: Sealer | None = None
        self._server_opener: Opener | None = None

    @property
    def client_secret(self) -> bytes:
        """client_initial_secret."""
        return self._secret.digest(CLIENT_IN)

    @property
    def server_secret(self) -> bytes:
        """server_initial_secret."""
        return self._secret.digest(SERVER_IN)

    @property
    def client_sealer(self) -> Sealer:
        """Seals what the client sends."""
        if self._client_sealer is None:
            self._client_sealer = sealer_from_secret(AES_128_GCM_SHA256, self.client_secret, self.version)
        return self._client_sealer

    @property
    def client_opener(self) -> Opener:
        """Opens what the client sent."""
        if self._client_opener is None:
            self._client_opener = opener_from_secret(AES_128_GCM_SHA256, self.client_secret, self.version)
        return self._client_opener

    @property
    def server_sealer(self) -> Sealer:
        """Seals what the server sends."""
        if self._server_sealer is None:
            self._server_sealer = sealer_from_secret(AES_128_GCM_SHA256, self.server_secret, self.version)
        return self._server_sealer

    @property
    def server_opener(self) -> Opener:
        """Opens what the server sent."""
        if self._server_opener is None:
            self._server_opener = opener_from_secret(AES_128_GCM_SHA256, self.server_secret, self.version)
        return self._server_opener


def initial_keys(destination_cid: bytes, version: int) -> InitialKeys:
    """Initial keys for the Destination Connection ID of the client's first Initial packet.

    Raises:
        ValueError: a version whose salt is not known.
    """
    return InitialKeys(destination_cid, version)


@cache
def _salted(salt: bytes) -> MacKey:
    """HKDF-Extract with a salt is a MAC under it, RFC 5869 §2.2."""
    return MacKey("sha256", salt)
