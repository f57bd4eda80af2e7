"""Whatever a server chooses of what a profile offers works: suites, key shares, compressions of certificates."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from qcore.testing import Pair, Seeded
from qcore.testing.pair import throwaway_certificate
from qmimic import ClientProfile
from qmimic.catalog import BUILT_IN
from qmimic.extensions import CompressCertificate
from qtls.certificates import CertificateChain
from qtls.config import ServerTLS
from qtls.constants import COMPRESSED_CERTIFICATE, GROUP_NAMES
from qwire.constants import PacketType
from qwire.frames import CryptoFrame

DRESSED: Final = [(name, item) for name, item in BUILT_IN.items() if item.hello is not None]


def meet(chosen: ClientProfile, server: ServerTLS, seed: str = "") -> Pair:
    """The profile's client at a server; both are confirmed."""
    drawn = chosen.draw(Seeded(f"{chosen.name} {seed}"))
    pair = Pair(
        client_config=drawn.quic,
        client_tls=replace(drawn.tls, ca=throwaway_certificate().ca_pem),
        server_tls=server,
    )
    pair.run_until(lambda: pair.client.is_confirmed)
    return pair


def server(**options: object) -> ServerTLS:
    made = throwaway_certificate()
    return replace(ServerTLS(certs=made.chain, alpn=("h3",)), **options)  # type: ignore[arg-type]  # of ServerTLS


def crypto(pair: Pair, sender: str, packet_type: PacketType) -> bytes:
    """The CRYPTO stream of one side in packets of one type."""
    trace = pair.client_trace if sender == "client" else pair.server_trace
    stream = bytearray()
    for packet in trace.sent:
        for frame in packet.frames if packet.packet_type is packet_type else ():
            if isinstance(frame, CryptoFrame):
                stream[frame.offset : frame.offset + len(frame.data)] = frame.data
    return bytes(stream)


def messages(stream: bytes) -> Iterator[bytes]:
    """Handshake messages, header included."""
    while stream:
        size = 4 + int.from_bytes(stream[1:4], "big")
        yield stream[:size]
        stream = stream[size:]


@pytest.mark.parametrize(
    ("name", "group"),
    [(name, group) for name, item in DRESSED if item.hello is not None for group in item.hello.share_groups],
)
def test_every_key_share_works(name: str, group: int) -> None:
    for seed in range(3):
        pair = meet(BUILT_IN[name], server(groups=(group,)), str(seed))

        assert GROUP_NAMES[group] == pair.client.info.group
        assert 1 == len(list(messages(crypto(pair, "client", PacketType.INITIAL)))), "one hello is enough"


@pytest.mark.parametrize(
    ("name", "suite"),
    [(name, suite) for name, item in DRESSED if item.hello is not None for suite in item.hello.real_suites],
)
def test_every_cipher_suite_works(name: str, suite: int) -> None:
    pair = meet(BUILT_IN[name], server(ciphers=(suite,)))

    assert pair.client.is_confirmed


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        (name, algorithm)
        for name, item in DRESSED
        if item.hello is not None
        for extension in item.hello.extensions
        if isinstance(extension, CompressCertificate)
        for algorithm in extension.algorithms
    ],
)
def test_every_compression_of_certificates_works(name: str, algorithm: int) -> None:  # RFC 8879
    chosen = BUILT_IN[name]
    hello = chosen.hello
    assert hello is not None
    only = tuple(
        CompressCertificate(algorithms=(algorithm,)) if isinstance(item, CompressCertificate) else item
        for item in hello.extensions
    )
    made = throwaway_certificate()
    long = CertificateChain(made.chain.certificates * 5, made.chain.key)
    pair = meet(replace(chosen, hello=replace(hello, extensions=only)), server(certs=long))
    [compressed] = [
        message
        for message in messages(crypto(pair, "server", PacketType.HANDSHAKE))
        if message[0] == COMPRESSED_CERTIFICATE
    ]

    assert algorithm == int.from_bytes(compressed[4:6], "big")
    assert 5 == len(pair.client.info.peer_certificates)


@pytest.mark.parametrize("name", [name for name, _ in DRESSED])
def test_a_server_with_a_staple_is_understood(name: str) -> None:  # RFC 6066 §8, RFC 6962 §3.3
    made = throwaway_certificate()
    stapled = CertificateChain(
        made.chain.certificates, made.chain.key, ocsp_response=b"ocsp", sct_list=b"scts"
    )

    assert meet(BUILT_IN[name], server(certs=stapled)).client.is_confirmed


@pytest.mark.parametrize("name", [name for name, item in DRESSED if "Chrom" in item.client])
def test_application_settings_are_answered(name: str) -> None:  # draft-vvv-tls-alps
    pair = meet(BUILT_IN[name], server(application_settings=b"settings"))

    assert pair.client.is_confirmed
