"""The names and shapes that users and other programs rely on: what goes missing here breaks somebody."""

import dataclasses
import importlib
import inspect
import re
import sys
from typing import Any

import pytest

LAYERS = ("quicvarint", "qwire", "qtls", "qcore", "qhttp3", "qlog", "qmimic")

NAMES = {
    "quicvarint": ["parse", "append", "append_sized", "size", "MAX", "VarintError"],
    "qwire.dissect": ["dissect", "DissectedPacket"],
    "qwire.frames": ["parse_frames", "Frame"],
    "qwire.transport_parameters": ["TransportParameters", "Parameter"],
    "qwire.errors": ["DecodeError"],
    "qtls": ["ClientTLS", "ServerTLS", "SessionStore"],
    "qtls.initial": ["initial_keys"],
    "qtls.retry": ["integrity_tag"],
    "qcore": [
        "ApplicationError",
        "CertificateError",
        "Connection",
        "ConnectionRefused",
        "EarlyDataRejected",
        "Endpoint",
        "HandshakeTimeout",
        "IdleTimeout",
        "Listener",
        "QuicConfig",
        "QuicError",
        "ReceiveStream",
        "SendStream",
        "StatelessReset",
        "Stream",
        "StreamError",
        "TransportError",
        "VersionMismatch",
        "connect",
        "serve",
    ],
    "qcore.engine.engine": ["QuicEngine"],
    "qcore.router": ["Router"],
    "qcore.testing": ["Pair", "Link"],
    "qhttp3": ["AsyncHTTP3Transport", "Client", "H3Engine", "HTTP3Transport", "Response", "serve_asgi"],
    "qmimic": [
        "AsyncMimicTransport",
        "Client",
        "ClientProfile",
        "Fingerprint",
        "MimicTransport",
        "ProfileInfo",
        "connect",
        "fingerprint",
        "get",
        "profile",
        "profiles",
    ],
}

MEMBERS = {
    "qwire.transport_parameters:TransportParameters": ["parse", "encode"],
    "qcore:Endpoint": ["open", "connect", "listen"],
    "qcore:Listener": ["__aiter__", "__anext__", "addresses", "close"],
    "qcore:Connection": [
        "__aenter__",
        "close",
        "datagrams",
        "export",
        "handshake",
        "info",
        "max_datagram_size",
        "open_stream",
        "open_uni",
        "send_datagram",
        "stats",
        "streams",
        "try_send_datagram",
        "uni_streams",
        "update_keys",
        "wait_closed",
    ],
    "qcore:SendStream": ["finish", "id", "reset", "stopped", "write"],
    "qcore:ReceiveStream": ["__aiter__", "id", "read", "readexactly", "stop"],
    "qcore:Stream": ["finish", "id", "read", "readexactly", "reset", "stop", "stopped", "write"],
    "qcore.engine.engine:QuicEngine": ["events", "handle_timeout", "next_timeout", "receive", "transmit"],
    "qhttp3:Client": ["__aenter__", "request"],
    "qhttp3:Response": ["__aiter__", "headers", "informational", "read", "status", "trailers"],
    "qmimic:Client": ["__aenter__", "request"],
    "qmimic:ClientProfile": ["draw", "from_toml", "to_toml"],
}

FIELDS = {
    "qtls:ClientTLS": ["alpn", "ca", "client_cert", "groups", "hello", "keylog", "server_name", "verify"],
    "qtls:ServerTLS": ["alpn", "certs", "client_auth", "client_ca", "keylog", "ticket_keys"],
    "qcore:QuicConfig": [
        "congestion",
        "connection_window",
        "datagrams",
        "early_data",
        "ecn",
        "handshake_timeout",
        "idle_timeout",
        "keep_alive",
        "max_bidi",
        "max_uni",
        "migration",
        "pmtud",
        "qlog",
        "send_buffer",
        "stream_window",
        "versions",
    ],
}

BASES = {
    "QuicError": OSError,
    "TransportError": OSError,
    "ApplicationError": OSError,
    "StreamError": OSError,
    "IdleTimeout": TimeoutError,
    "HandshakeTimeout": TimeoutError,
    "StatelessReset": ConnectionResetError,
}

PARAMETERS = {
    "qcore:connect": ["host", "port"],
    "qcore:serve": ["handler", "local"],
    "qhttp3:serve_asgi": ["app", "local", "tls", "config", "workers", "alt_svc"],
    "qhttp3:Client.request": ["method", "url", "headers", "content", "trailers", "priority", "early"],
    "qmimic:get": ["url", "profile"],
    "qmimic:connect": ["host", "port", "profile"],
    "qmimic:profile": ["name"],
    "qmimic:fingerprint": ["datagrams"],
    "qwire.dissect:dissect": ["datagram", "keys"],
    "qtls.initial:initial_keys": ["destination_cid", "version"],
}

# The name asked for, and the one of the profile that answers: a bare client's name is its newest profile.
PROFILES = {"chrome": "chrome-156", "chrome-156": "chrome-156", "plain": "plain"}


def find(place: str) -> Any:
    """The object behind ``module:name`` or ``module:name.member``."""
    module, _, path = place.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def is_compiled(value: Any) -> bool:
    """Whether a class or function comes from a module compiled by mypyc, which keeps no source and no docstrings.

    What classes assign in ``__init__`` are their members then.
    """
    module = sys.modules[value.__module__]
    return not str(module.__file__).endswith(".py")


def missing(owner: Any, names: list[str]) -> list[str]:
    return [name for name in names if not hasattr(owner, name)]


@pytest.mark.parametrize("module", NAMES)
def test_names_exist(module: str) -> None:
    assert [] == missing(importlib.import_module(module), NAMES[module])


@pytest.mark.parametrize("place", MEMBERS)
def test_members_exist(place: str) -> None:
    owner = find(place)
    # What __init__ sets is an attribute of the object, not of its class.
    source = "" if is_compiled(owner) else inspect.getsource(owner)
    assigned = set(re.findall(r"\bself\.(\w+)(?:: [^=\n]+)? = ", source))

    assert [] == [name for name in missing(owner, MEMBERS[place]) if name not in assigned]


@pytest.mark.parametrize("place", FIELDS)
def test_configuration_is_frozen_and_has_its_fields(place: str) -> None:
    configuration = find(place)
    fields = {field.name: field for field in dataclasses.fields(configuration)}

    assert configuration.__dataclass_params__.frozen
    assert [] == [name for name in FIELDS[place] if name not in fields or not fields[name].kw_only]


@pytest.mark.parametrize("name", BASES)
def test_errors_are_the_systems_own_kinds(name: str) -> None:
    error = find(f"qcore:{name}")

    assert issubclass(error, find("qcore:QuicError"))
    assert issubclass(error, BASES[name])


@pytest.mark.parametrize("place", PARAMETERS)
def test_parameters_keep_their_names(place: str) -> None:
    parameters = inspect.signature(find(place)).parameters

    assert [] == [name for name in PARAMETERS[place] if name not in parameters]


@pytest.mark.parametrize("package", LAYERS)
def test_what_a_package_exports_exists_and_is_documented(package: str) -> None:
    module = importlib.import_module(package)
    exported = {name: getattr(module, name) for name in module.__all__}
    to_document = {
        name: value
        for name, value in exported.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and not is_compiled(value)
    }

    assert [] == [name for name, value in to_document.items() if not inspect.getdoc(value)]


@pytest.mark.parametrize("name", PROFILES)
def test_profile_is_built_in(name: str) -> None:
    assert PROFILES[name] == find("qmimic:profile")(name).name
    assert PROFILES[name] in {info.name for info in find("qmimic:profiles")()}
