import tomllib
from dataclasses import dataclass, field
from typing import Literal

import pytest

from qmimic import toml
from qmimic.errors import ProfileError


@dataclass(frozen=True, kw_only=True)
class Leaf:
    number: int = field(default=7, metadata={"hex": True})
    blob: bytes = b""


@dataclass(frozen=True, kw_only=True)
class OtherLeaf:
    text: str


@dataclass(frozen=True, kw_only=True)
class Tree:
    name: str
    ratio: float = 0.5
    flag: bool = False
    mode: Literal["a", "b"] = "a"
    size: int | Leaf = 3
    numbers: tuple[int, ...] = ()
    leaf: Leaf | OtherLeaf | None = None
    leaves: tuple[Leaf | OtherLeaf, ...] = ()


TREES = [
    Tree(name="x"),
    Tree(name='quote " backslash \\ tab \t newline \n unicode é'),
    Tree(name="x", ratio=2.0, flag=True, mode="b", size=Leaf(number=9), numbers=(1, 2, 3)),
    Tree(name="x", leaf=OtherLeaf(text="t"), leaves=(Leaf(blob=b"\0\xff"), OtherLeaf(text="u"))),
    Tree(name="x", numbers=tuple(range(100_000, 100_040))),
]


def loads(text: str) -> Tree:
    return toml.load(Tree, tomllib.loads(text))


@pytest.mark.parametrize("tree", TREES)
def test_what_is_written_reads_back(tree: Tree) -> None:
    assert tree == loads(toml.dumps(tree))


def test_form() -> None:
    assert (
        'name = "x"\n'
        "ratio = 0.5\n"
        "flag = false\n"
        'mode = "a"\n'
        "size = 3\n"
        "numbers = []\n"
        "leaves = [\n"
        '  { kind = "leaf", number = 0x10 },\n'
        '  { kind = "other-leaf", text = "t" },\n'
        "]\n"
        "\n"
        "[leaf]\n"
        'kind = "leaf"\n'
        "number = 0x7\n"
        'blob = "ff"\n'
    ) == toml.dumps(Tree(name="x", leaf=Leaf(blob=b"\xff"), leaves=(Leaf(number=16), OtherLeaf(text="t"))))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "name: missing", id="missing"),
        pytest.param('name = "x"\nnmae = 1', "unknown key 'nmae'", id="unknown"),
        pytest.param("name = 3", "name: str is needed, not int", id="type"),
        pytest.param('name = "x"\nflag = 1', "flag: bool is needed, not int", id="no bool"),
        pytest.param('name = "x"\nsize = true', "size: int is needed, not bool", id="no int"),
        pytest.param('name = "x"\nmode = "c"', "mode: 'c' is none of 'a', 'b'", id="choice"),
        pytest.param('name = "x"\nnumbers = 3', "numbers: an array is needed", id="array"),
        pytest.param('name = "x"\nnumbers = [1, "2"]', r"numbers\[1\]: int is needed", id="item"),
        pytest.param('name = "x"\nleaf = 3', "leaf: a table is needed", id="table"),
        pytest.param('name = "x"\n[leaf]\nkind = "tree"', "kind must be one of leaf, other-leaf", id="kind"),
        pytest.param(
            'name = "x"\n[leaf]\nkind = "leaf"\nblob = "0"', "leaf.blob: hexadecimal", id="hexadecimal"
        ),
    ],
)
def test_mistakes_are_named(text: str, reason: str) -> None:
    with pytest.raises(ProfileError, match=reason):
        loads(text)
