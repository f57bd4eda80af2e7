"""The extensions of a ClientHello, each as data that makes its body; a profile lists them."""

from typing import TypeAlias

from .base import Extension, ReservedValues, filled_in
from .fillers import EchGrease, Fill, Grease
from .keys import KeyShare, SupportedGroups
from .standard import (
    Alpn,
    ApplicationSettings,
    CompressCertificate,
    Cookie,
    DelegatedCredentials,
    EarlyData,
    PskKeyExchangeModes,
    QuicTransportParameters,
    Raw,
    RecordSizeLimit,
    ServerName,
    SignatureAlgorithms,
    StatusRequest,
    SupportedVersions,
    TrustAnchors,
)

ExtensionSpec: TypeAlias = (
    ServerName
    | SupportedGroups
    | SignatureAlgorithms
    | Alpn
    | StatusRequest
    | CompressCertificate
    | RecordSizeLimit
    | DelegatedCredentials
    | EarlyData
    | SupportedVersions
    | Cookie
    | PskKeyExchangeModes
    | KeyShare
    | QuicTransportParameters
    | ApplicationSettings
    | EchGrease
    | TrustAnchors
    | Raw
    | Grease
    | Fill
)

__all__ = [
    "Alpn",
    "ApplicationSettings",
    "CompressCertificate",
    "Cookie",
    "DelegatedCredentials",
    "EarlyData",
    "EchGrease",
    "Extension",
    "ExtensionSpec",
    "Fill",
    "Grease",
    "KeyShare",
    "PskKeyExchangeModes",
    "QuicTransportParameters",
    "Raw",
    "RecordSizeLimit",
    "ReservedValues",
    "ServerName",
    "SignatureAlgorithms",
    "StatusRequest",
    "SupportedGroups",
    "SupportedVersions",
    "TrustAnchors",
    "filled_in",
]
