"""Frozen dataclasses ↔ TOML, so that profiles are files that people read and change.

Reading is `tomllib`'s; writing is here, for the few shapes that profiles have. Bytes are written in hexadecimal,
and so are numbers whose field says `metadata={"hex": True}`. Where a field may hold one of several classes, the
key `kind` names it: the class name in lower case with hyphens.
"""

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ProfileError

T = TypeVar("T")

LINE_WIDTH: Final = 100

CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def kind_of(cls: type) -> str:
    """`MultiChaos` → `multi-chaos`."""
    return CAPITAL.sub("-", cls.__name__).lower()


# Writing


def dumps(value: Any) -> str:
    """The TOML document for one dataclass; fields that hold None are left out."""
    lines: list[str] = []
    write_table(lines, (), value, False)
    return "\n".join(lines).strip() + "\n"


def write_table(lines: list[str], path: tuple[str, ...], value: Any, with_kind: bool) -> None:
    """Append the table of one dataclass: plain keys first, then the tables inside it."""
    hints = type_hints(type(value))
    if with_kind:
        lines.append(f"kind = {quoted(kind_of(type(value)))}")
    later: list[tuple[str, Any, bool]] = []
    for item in fields(value):
        content = getattr(value, item.name)
        if content is None:
            continue
        is_union = len(classes_in(hints[item.name])) > 1
        if is_dataclass(content):
            later.append((item.name, content, is_union))
        elif isinstance(content, tuple) and content and is_dataclass(content[0]):
            rows = "".join(f"  {inline_table(entry, is_union)},\n" for entry in content)
            lines.append(f"{item.name} = [\n{rows}]")
        else:
            lines.append(f"{item.name} = {formatted(content, bool(item.metadata.get('hex')))}")
    for name, content, is_union in later:
        inner = (*path, name)
        lines.extend(("", f"[{'.'.join(inner)}]"))
        write_table(lines, inner, content, is_union)


def inline_table(value: Any, with_kind: bool) -> str:
    """A dataclass of plain values on one line; fields that hold their default are left out."""
    pairs = [f"kind = {quoted(kind_of(type(value)))}"] if with_kind else []
    for item in fields(value):
        content = getattr(value, item.name)
        if content is not None and content != item.default:
            pairs.append(f"{item.name} = {formatted(content, bool(item.metadata.get('hex')))}")
    return "{ " + ", ".join(pairs) + " }" if pairs else "{}"


def formatted(value: Any, in_hex: bool) -> str:
    """One TOML value on one line, or an array on several."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:#x}" if in_hex and value >= 0 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return quoted(value.hex())
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple):
        items = [formatted(item, in_hex) for item in value]
        line = f"[{', '.join(items)}]"
        if len(line) <= LINE_WIDTH:
            return line
        return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    raise ProfileError(f"a profile cannot hold {type(value).__name__}")


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'


# Reading


def load(cls: type[T], data: Any, path: str = "") -> T:
    """Make a dataclass of what `tomllib` read.

    Raises:
        ProfileError: with the place of the value that is missing, unknown or of the wrong type.
    """
    if not isinstance(data, Mapping):
        raise ProfileError(f"{path or 'profile'}: a table is needed")
    known: dict[str, Field[Any]] = {item.name: item for item in fields(cls)}  # type: ignore[arg-type] # a dataclass
    unknown = sorted(set(data) - set(known) - {"kind"})
    if unknown:
        raise ProfileError(f"{path or 'profile'}: unknown key {unknown[0]!r}")
    hints = type_hints(cls)
    values: dict[str, Any] = {}
    for name, item in known.items():
        place = f"{path}.{name}" if path else name
        if name in data:
            values[name] = converted(hints[name], data[name], place)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ProfileError(f"{place}: missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise ProfileError(f"{path or 'profile'}: {error}") from None


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` in it: tables key by key, unless they are of another kind; everything else as a whole."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and is_same_kind(old, value):
            value = merged(old, value)
        result[key] = value
    return result


def is_same_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "kind" not in new or old.get("kind") == new["kind"]


def converted(hint: Any, data: Any, path: str) -> Any:
    """A value of the type that `hint` names."""
    origin = get_origin(hint)
    if origin is Literal:
        if data not in get_args(hint):
            raise ProfileError(f"{path}: {data!r} is none of {', '.join(map(repr, get_args(hint)))}")
        return data
    if origin is tuple:
        if not isinstance(data, list):
            raise ProfileError(f"{path}: an array is needed")
        inner = get_args(hint)[0]
        return tuple(converted(inner, item, f"{path}[{index}]") for index, item in enumerate(data))
    if origin in (Union, types.UnionType):
        return one_of(hint, data, path)
    if is_dataclass(hint):
        return load(hint, data, path)  # type: ignore[arg-type] # a class, not an instance
    if hint is bytes:
        try:
            return bytes.fromhex(data)
        except (ValueError, TypeError):
            raise ProfileError(f"{path}: hexadecimal digits are needed") from None
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        raise ProfileError(f"{path}: {hint.__name__} is needed, not {type(data).__name__}")
    return data


def one_of(hint: Any, data: Any, path: str) -> Any:
    """A value for a field that may hold several types."""
    classes = classes_in(hint)
    if isinstance(data, Mapping) and classes:
        if len(classes) == 1:
            return load(classes[0], data, path)
        by_kind = {kind_of(cls): cls for cls in classes}
        kind = data.get("kind")
        if not isinstance(kind, str) or kind not in by_kind:
            raise ProfileError(f"{path}: kind must be one of {', '.join(sorted(by_kind))}, not {kind!r}")
        return load(by_kind[kind], data, path)
    for choice in get_args(hint):
        if get_origin(choice) is tuple and not isinstance(data, list):
            continue
        if choice is not type(None) and not is_dataclass(choice):
            return converted(choice, data, path)
    raise ProfileError(f"{path}: a table is needed")


def classes_in(hint: Any) -> list[type]:
    """The dataclasses that a type hint mentions."""
    if is_dataclass(hint):
        return [hint]  # type: ignore[list-item] # a class, not an instance
    return [cls for argument in get_args(hint) for cls in classes_in(argument)]


def type_hints(cls: type) -> dict[str, Any]:
    """Resolved annotations of a dataclass."""
    return get_type_hints(cls)
