"""Secrets: never in texts that end up in logs, and compared in constant time."""

from __future__ import annotations

import ast
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import qtls
from qtls import ClientTLS, LocalAlert, MemorySessionStore, ServerTLS
from qtls.adapters.self_signed import Authority
from qtls.constants import FINISHED, SECP384R1, Level
from qtls.ech import ech_config_list, make_ech_key
from qtls.events import KeysInstalled, NewSession
from qtls.tickets import TicketState, open_ticket

MakeDuo = Callable[..., Any]
SOURCE = Path(qtls.__file__).parent
PARAMETERS = bytes.fromhex("0f03616263")


class Collected:
    """Secrets, and the texts in which they must not be."""

    def __init__(self) -> None:
        self.secrets: set[bytes] = set()
        self.texts: list[str] = []

    def keylog(self, line: str) -> None:
        self.secrets.add(bytes.fromhex(line.split()[2]))

    def say(self, *values: object) -> None:
        for value in values:
            self.texts += [repr(value), str(value)]

    def assert_silent(self) -> None:
        assert self.secrets and self.texts
        for text in self.texts:
            for secret in self.secrets:
                for part in (secret, secret[:8], secret[-8:]):
                    assert part.hex() not in text.lower()
                    assert repr(part)[2:-1] not in text
                    assert str(list(part))[1:-1] not in text


@pytest.fixture
def collected() -> Collected:
    return Collected()


def run(
    make_duo: MakeDuo, authority: Authority, collected: Collected, tamper: Any = None, **server: Any
) -> Any:
    key = make_ech_key("public.example")
    own = authority.issue(["client.example"], client=True)
    collected.secrets |= {b"ticket key" + bytes(22), key.private_key, own.key_bytes()[-60:]}
    client: dict[str, Any] = {
        "keylog": collected.keylog,
        "sessions": MemorySessionStore(),
        "client_cert": own,
        "ech": ech_config_list((key,)),
    }
    settings: dict[str, Any] = {
        "ech_keys": (key,),
        "ticket_keys": (b"ticket key" + bytes(22),),
        "early_data": True,
        "client_auth": "require",
        "client_ca": authority.pem,
        **server,
    }
    duo = make_duo(client, settings, {"transport_parameters": PARAMETERS})
    duo.configs = (ClientTLS(**{**client, "ca": authority.pem}), ServerTLS(**{"certs": own, **settings}))
    duo.run(tamper)
    return duo


@pytest.mark.parametrize("groups", [{}, {"groups": (SECP384R1,)}], ids=["", "after retry"])
def test_reprs_and_logs(
    make_duo: MakeDuo,
    authority: Authority,
    collected: Collected,
    groups: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    duo = run(make_duo, authority, collected, **groups)
    for event in duo.client_events + duo.server_events:
        collected.say(event)
        if isinstance(event, NewSession):
            collected.secrets |= {event.session.secret, event.session.ticket}
            state = open_ticket(event.session.ticket, (b"ticket key" + bytes(22),))
            assert isinstance(state, TicketState)
            collected.say(event.session, state)
        if isinstance(event, KeysInstalled):
            collected.say(event.sealer, event.opener)
    for end in (duo.client, duo.server):
        collected.say(end, *attributes(end))
    collected.say(*duo.configs, duo.client._hellos.shares, duo.client._hellos.ech, duo.server._ech)
    collected.texts.append(caplog.text)

    assert len(collected.secrets) >= 8
    # What a handshake keeps in its own attributes are the secrets; nobody prints those but a debugger.
    held = {
        repr(value)
        for end in (duo.client, duo.server)
        for value in attributes(end)
        if isinstance(value, bytes)
    }
    collected.texts = [text for text in collected.texts if text not in held]
    collected.assert_silent()


def attributes(end: Any) -> list[object]:
    """What an object keeps in its slots."""
    names = [name for kind in type(end).__mro__ for name in getattr(kind, "__slots__", ())]
    return [getattr(end, name) for name in names]


def test_exceptions(make_duo: MakeDuo, authority: Authority, collected: Collected) -> None:
    def tamper(sender: str, level: Level, raw: bytes) -> bytes:
        return raw[:-1] + bytes((raw[-1] ^ 1,)) if raw[0] == FINISHED and sender == "client" else raw

    with pytest.raises(LocalAlert, match="Finished does not match") as refused:
        run(make_duo, authority, collected, tamper)
    collected.say(refused.value, refused.value.args)
    collected.texts.append("".join(traceback.format_exception(refused.value)))
    collected.assert_silent()


def test_key_log_is_the_one_way_out(make_duo: MakeDuo) -> None:
    lines: list[str] = []
    make_duo({"keylog": lines.append}).run()

    assert all(len(line.split()) == 3 for line in lines)
    assert 5 == len(lines)


# Comparisons

SECRET_WORDS = frozenset(
    (
        "secret", "secrets", "binder", "binders", "finished", "mac", "tag", "cookie", "token", "verify_data",
        "expected", "confirmation", "mark", "digest",
    )
)  # fmt: skip


def comparisons() -> Iterator[tuple[str, ast.Compare]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(
                node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn
            ):
                yield path.name, node


def words_of(node: ast.expr) -> set[str]:
    """Words of the names in an operand; sizes of secrets are not secret, nor are constants of the protocol."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        return set()
    found: set[str] = set()
    for each in ast.walk(node):
        name = each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
        if not name.isupper():
            found |= {name.strip("_"), *name.split("_")}
    return found


# Not secrets, or not compared with what a peer sends: (file, expression).
ALLOWED = {
    # The set of binders that were taken: each was checked before, in constant time.
    ("tickets.py", "mark in self._current"),
    ("tickets.py", "mark in self._previous"),
    ("shared_replays.py", "kept == mark"),
    # The hash of a public key.
    ("trust.py", "hashlib.sha256(encoded).digest() in self._pins"),
}


def test_secrets_are_compared_in_constant_time() -> None:
    suspicious = [
        (name, ast.unparse(node))
        for name, node in comparisons()
        if any(words_of(each) & SECRET_WORDS for each in (node.left, *node.comparators))
    ]

    assert sorted(ALLOWED) == sorted({each for each in suspicious if not each[1].endswith("None")})


def test_every_check_of_a_secret_is_there() -> None:
    """Finished, binders, cookies, and the confirmations of ECH."""
    calls = {
        (path.name, ast.unparse(node.args[0]), ast.unparse(node.args[1]))
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "equal"
    }

    assert {
        ("handshake.py", "raw[4:]", "expected"),
        ("server_choice.py", "expected", "binders[index]"),
        ("server_choice.py", "returned", "cookie"),
        ("ech_client.py", "found", "confirmation(label, self.inner.random, hash_name, digest)"),
    } == calls


def test_randomness_comes_from_the_system() -> None:
    """``random`` of Python is for tests; here it is an argument, and ``secrets`` where there must be a default."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert "random" not in [alias.name for alias in node.names], path.name
            assert not (isinstance(node, ast.ImportFrom) and node.module == "random"), path.name
