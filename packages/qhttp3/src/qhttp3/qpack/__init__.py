"""QPACK: field compression for HTTP/3, usable alone. RFC 9204."""

from qhttp3.qpack.decoder import Decoder
from qhttp3.qpack.encoder import Encoder
from qhttp3.qpack.errors import (
    DecoderStreamError,
    DecompressionFailed,
    EncoderStreamError,
    QpackError,
    SectionTooLarge,
)
from qhttp3.qpack.policy import EncoderPolicy, Insert

__all__ = [
    "Decoder",
    "DecoderStreamError",
    "DecompressionFailed",
    "Encoder",
    "EncoderPolicy",
    "EncoderStreamError",
    "Insert",
    "QpackError",
    "SectionTooLarge",
]
