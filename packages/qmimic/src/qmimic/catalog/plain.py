"""This stack undisguised, through the same seams as every other profile."""

from typing import Final

from qwire.constants import VERSION_1, VERSION_2

from ..profile import ClientProfile, EngineSpec, HeaderSpec

PLAIN: Final = ClientProfile(
    name="plain",
    client="uQUIC for Python",
    version="0.1",
    platform="any",
    provenance="the defaults of qtls and qcore",
    header=HeaderSpec(),
    engine=EngineSpec(versions=(VERSION_1, VERSION_2), ecn=True, max_udp_payload=1452),
)

PROFILES: Final = (PLAIN,)
