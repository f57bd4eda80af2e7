"""Fields as Python programs like them: text pairs that can also be looked up by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, overload

Field = tuple[bytes, bytes]
Text: TypeAlias = str | bytes
FieldsInput: TypeAlias = Mapping[str, str] | Iterable[tuple[Text, Text]]


class Headers:
    """Fields in the order in which they came; names are in lower case, values are read as Latin-1.

    ``headers["name"]`` and ``headers.get("name")`` give the first value, `get_all` every one, ``raw`` the bytes.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Iterable[Field] = ()) -> None:
        self.raw: tuple[Field, ...] = tuple(raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.raw:
            yield name.decode("latin-1"), value.decode("latin-1")

    @overload
    def __getitem__(self, key: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, key: slice) -> list[tuple[str, str]]: ...
    @overload
    def __getitem__(self, key: str) -> str: ...
    def __getitem__(self, key: int | slice | str) -> tuple[str, str] | list[tuple[str, str]] | str:
        if isinstance(key, str):
            value = self.get(key)
            if value is None:
                raise KeyError(key)
            return value
        return list(self)[key]

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            return self.get(key) is not None
        return key in list(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self.raw == other.raw
        return list(self) == other

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    def get(self, name: str, default: str | None = None) -> str | None:
        """Give the first value of a field, whatever the case of the name."""
        wanted = name.lower().encode("latin-1")
        for key, value in self.raw:
            if key == wanted:
                return value.decode("latin-1")
        return default

    def get_all(self, name: str) -> list[str]:
        """Give all values of a field."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]


def encode_fields(fields: FieldsInput) -> list[Field]:
    """Turn what users write into bytes; names become lower case."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return [(_encode(name).lower(), _encode(value)) for name, value in pairs]


def _encode(text: Text) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)
