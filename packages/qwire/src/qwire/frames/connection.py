"""Connection IDs, paths and the end of the connection. RFC 9000 §19.15 to §19.19."""

from __future__ import annotations

from typing import ClassVar, final

from qwire.buffer import Reader, Writer, append_varint, varint_size
from qwire.compiling import mypyc_attr
from qwire.constants import (
    FRAME_CONNECTION_CLOSE,
    FRAME_CONNECTION_CLOSE_APPLICATION,
    FRAME_NEW_CONNECTION_ID,
    FRAME_PATH_CHALLENGE,
    FRAME_PATH_RESPONSE,
    FRAME_RETIRE_CONNECTION_ID,
    MAX_CID_SIZE,
    RESET_TOKEN_SIZE,
)
from qwire.errors import DecodeError
from qwire.frames.base import Frame


@final
@mypyc_attr(acyclic=True)
class NewConnectionIdFrame(Frame):
    """NEW_CONNECTION_ID, RFC 9000 §19.15."""

    __slots__ = ("connection_id", "retire_prior_to", "sequence_number", "stateless_reset_token")
    TYPE: ClassVar[int] = FRAME_NEW_CONNECTION_ID
    FIELDS: ClassVar[tuple[str, ...]] = (
        "sequence_number",
        "retire_prior_to",
        "connection_id",
        "stateless_reset_token",
    )

    def __init__(
        self, sequence_number: int, retire_prior_to: int, connection_id: bytes, stateless_reset_token: bytes
    ) -> None:
        self.sequence_number = sequence_number
        self.retire_prior_to = retire_prior_to
        self.connection_id = connection_id
        self.stateless_reset_token = stateless_reset_token

    def append(self, writer: Writer) -> None:
        """Write the frame.

        Raises:
            ValueError: a connection ID not of 1 to 20 bytes, or a reset token not of 16.
        """
        size = len(self.connection_id)
        if not 1 <= size <= MAX_CID_SIZE:
            raise ValueError(f"connection ID of {size} bytes")
        if len(self.stateless_reset_token) != RESET_TOKEN_SIZE:
            raise ValueError(f"reset token of {len(self.stateless_reset_token)} bytes")
        data = writer.data
        data.append(FRAME_NEW_CONNECTION_ID)
        append_varint(data, self.sequence_number)
        append_varint(data, self.retire_prior_to)
        data.append(size)
        data += self.connection_id
        data += self.stateless_reset_token


@final
@mypyc_attr(acyclic=True)
class RetireConnectionIdFrame(Frame):
    """RETIRE_CONNECTION_ID, RFC 9000 §19.16."""

    __slots__ = ("sequence_number",)
    TYPE: ClassVar[int] = FRAME_RETIRE_CONNECTION_ID
    FIELDS: ClassVar[tuple[str, ...]] = ("sequence_number",)

    def __init__(self, sequence_number: int) -> None:
        self.sequence_number = sequence_number

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        writer.data.append(FRAME_RETIRE_CONNECTION_ID)
        append_varint(writer.data, self.sequence_number)


@final
@mypyc_attr(acyclic=True)
class PathChallengeFrame(Frame):
    """PATH_CHALLENGE, RFC 9000 §19.17. ``data`` has 8 bytes."""

    __slots__ = ("data",)
    TYPE: ClassVar[int] = FRAME_PATH_CHALLENGE
    FIELDS: ClassVar[tuple[str, ...]] = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        if len(self.data) != 8:
            raise ValueError(f"path challenge of {len(self.data)} bytes")
        writer.data.append(FRAME_PATH_CHALLENGE)
        writer.data += self.data


@final
@mypyc_attr(acyclic=True)
class PathResponseFrame(Frame):
    """PATH_RESPONSE, RFC 9000 §19.18. ``data`` has 8 bytes."""

    __slots__ = ("data",)
    TYPE: ClassVar[int] = FRAME_PATH_RESPONSE
    FIELDS: ClassVar[tuple[str, ...]] = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        if len(self.data) != 8:
            raise ValueError(f"path response of {len(self.data)} bytes")
        writer.data.append(FRAME_PATH_RESPONSE)
        writer.data += self.data


@final
@mypyc_attr(acyclic=True)
class ConnectionCloseFrame(Frame):
    """CONNECTION_CLOSE, RFC 9000 §19.19.

    Attributes:
        frame_type: the frame that caused the close, 0 when unknown; not sent when ``application``.
        reason: UTF-8 by rule, any bytes in practice.
        application: whether ``error_code`` is the application's (type 0x1d).
    """

    __slots__ = ("application", "error_code", "frame_type", "reason")
    TYPE: ClassVar[int] = FRAME_CONNECTION_CLOSE
    FIELDS: ClassVar[tuple[str, ...]] = ("error_code", "frame_type", "reason", "application")
    ack_eliciting: ClassVar[bool] = False

    def __init__(self, error_code: int, frame_type: int, reason: bytes, application: bool) -> None:
        self.error_code = error_code
        self.frame_type = frame_type
        self.reason = reason
        self.application = application

    @property
    def type(self) -> int:
        """0x1c from the transport, 0x1d from the application."""
        return FRAME_CONNECTION_CLOSE_APPLICATION if self.application else FRAME_CONNECTION_CLOSE

    def append(self, writer: Writer) -> None:
        """Write the frame."""
        data = writer.data
        if self.application:
            data.append(FRAME_CONNECTION_CLOSE_APPLICATION)
            append_varint(data, self.error_code)
        else:
            data.append(FRAME_CONNECTION_CLOSE)
            append_varint(data, self.error_code)
            append_varint(data, self.frame_type)
        append_varint(data, len(self.reason))
        data += self.reason

    def size(self) -> int:
        """Bytes that ``append`` writes."""
        size = len(self.reason)
        total = 1 + varint_size(self.error_code) + varint_size(size) + size
        return total if self.application else total + varint_size(self.frame_type)


def parse_new_connection_id(reader: Reader) -> NewConnectionIdFrame:
    """Read the body of a NEW_CONNECTION_ID frame.

    RFC 9000 §19.15.

    Raises:
        DecodeError: truncated, a connection ID not of 1 to 20 bytes, or numbers that retire the ID itself.
    """
    sequence_number = reader.read_varint()
    retire_prior_to = reader.read_varint()
    size = reader.read_uint8()
    if not 1 <= size <= MAX_CID_SIZE:
        raise DecodeError(f"connection ID of {size} bytes")
    connection_id = reader.read_bytes(size)
    token = reader.read_bytes(RESET_TOKEN_SIZE)
    if retire_prior_to > sequence_number:
        raise DecodeError(f"retire prior to {retire_prior_to} beyond sequence number {sequence_number}")
    return NewConnectionIdFrame(sequence_number, retire_prior_to, connection_id, token)


def parse_retire_connection_id(reader: Reader) -> RetireConnectionIdFrame:
    """Read the body of a RETIRE_CONNECTION_ID frame. RFC 9000 §19.16."""
    return RetireConnectionIdFrame(reader.read_varint())


def parse_path_challenge(reader: Reader) -> PathChallengeFrame:
    """Read the body of a PATH_CHALLENGE frame. RFC 9000 §19.17."""
    return PathChallengeFrame(reader.read_bytes(8))


def parse_path_response(reader: Reader) -> PathResponseFrame:
    """Read the body of a PATH_RESPONSE frame. RFC 9000 §19.18."""
    return PathResponseFrame(reader.read_bytes(8))


def parse_connection_close(reader: Reader, application: bool) -> ConnectionCloseFrame:
    """Read the body of a CONNECTION_CLOSE frame. RFC 9000 §19.19."""
    error_code = reader.read_varint()
    frame_type = 0 if application else reader.read_varint()
    return ConnectionCloseFrame(error_code, frame_type, reader.read_bytes(reader.read_varint()), application)
