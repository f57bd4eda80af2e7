"""What QPACK refuses, one class per error code of RFC 9204 §6."""

from __future__ import annotations

from typing import ClassVar, Final

QPACK_DECOMPRESSION_FAILED: Final = 0x200
QPACK_ENCODER_STREAM_ERROR: Final = 0x201
QPACK_DECODER_STREAM_ERROR: Final = 0x202


class QpackError(ValueError):
    """Base of all; ``code`` is the error code that closes the connection."""

    code: ClassVar[int] = QPACK_DECOMPRESSION_FAILED

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DecompressionFailed(QpackError):
    """A field section cannot be interpreted."""


class EncoderStreamError(QpackError):
    """An instruction on the peer's encoder stream cannot be obeyed."""

    code = QPACK_ENCODER_STREAM_ERROR


class DecoderStreamError(QpackError):
    """An instruction on the peer's decoder stream makes no sense."""

    code = QPACK_DECODER_STREAM_ERROR


class SectionTooLarge(ValueError):
    """A field section is larger than we said we accept; the connection can go on without it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
