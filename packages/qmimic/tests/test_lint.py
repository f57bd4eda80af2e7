"""Profiles with one fault each, and the built-in ones without any."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qmimic.adapters.cli import cli
from qmimic.catalog import BUILT_IN, profile
from qmimic.extensions import (
    ApplicationSettings,
    CompressCertificate,
    KeyShare,
    QuicTransportParameters,
    Raw,
    SupportedGroups,
)
from qmimic.layouts import Pinned, PinnedDatagram
from qmimic.lint import lint
from qmimic.profile import ClientProfile
from qmimic.transport_parameters import (
    Integer,
    Opaque,
    Reserved,
    SourceConnectionId,
    VersionInformation,
)

CHROME = profile("chrome-156")
assert CHROME.parameters is not None
ENTRIES = CHROME.parameters.entries


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_profiles_have_no_errors(name: str) -> None:
    findings = lint(BUILT_IN[name])

    assert [] == [finding for finding in findings if finding.severity == "error"]
    assert {"groups"} == {f.kind for f in findings} if name == "firefox-116" else not findings


def with_entries(*entries: Any) -> ClientProfile:
    assert CHROME.parameters is not None
    return replace(CHROME, parameters=replace(CHROME.parameters, entries=entries))


def without(*ids: int) -> tuple[Any, ...]:
    return tuple(entry for entry in ENTRIES if getattr(entry, "id", None) not in ids)


def changed(number: int, value: int) -> ClientProfile:
    return with_entries(*without(number), Integer(id=number, value=value))


def with_extension(extension: Any) -> ClientProfile:
    assert CHROME.hello is not None
    others = tuple(item for item in CHROME.hello.extensions if type(item) is not type(extension))
    return replace(CHROME, hello=replace(CHROME.hello, extensions=(*others, extension)))


def versions(text: str, number: int = 0x11, drawn: str = "") -> ClientProfile:
    return with_entries(
        *without(0x11), Opaque(id=number, value=bytes.fromhex(text), drawn=bytes.fromhex(drawn))
    )


FIXED = Pinned(
    datagrams=(
        PinnedDatagram(frames=("crypto :900", "padding")),
        PinnedDatagram(frames=("crypto 900:", "padding")),
    )
)
assert CHROME.hello is not None

FAULTS = [
    pytest.param(versions("00000001 9f1b3a7a 00000001"), "malformed GREASE", "0x9f1b3a7a", id="version"),
    pytest.param(
        with_extension(SupportedGroups(groups=(0x1A2A, 0x001D))), "malformed GREASE", "0x1a2a", id="group"
    ),
    pytest.param(
        versions("00000001 9f1b3a7a 00000001", drawn="00000000 0f000000 00000000"),
        "malformed GREASE",
        "0x",
        id="a version that is drawn, told once",
    ),
    pytest.param(with_entries(*ENTRIES, Opaque(id=27)), "malformed GREASE", "27 itself", id="literal id 27"),
    pytest.param(with_entries(*ENTRIES, Reserved()), "double id 27", "2 parameters", id="double id 27"),
    pytest.param(
        with_entries(*without(0x11), VersionInformation(id=0xFF73DB)),
        "version_information",
        "drafts",
        id="draft id",
    ),
    pytest.param(versions("00000001 00000001 00"), "version_information", "9 bytes", id="no list"),
    pytest.param(versions("6b3343cf 6b3343cf"), "version_information", "not one that is spoken", id="chosen"),
    pytest.param(versions("00000001 1a2a3a4a"), "version_information", "not among", id="chosen not offered"),
    pytest.param(versions("00000001 00000001 6b3343cf"), "version_information", "not spoken", id="unspoken"),
    pytest.param(replace(CHROME, layout=FIXED), "overflow", "253-byte name", id="layout and long names"),
    pytest.param(
        replace(CHROME, header=replace(CHROME.header, destination_cid_size=30)),
        "overflow",
        "8 to 20 bytes",
        id="connection ID",
    ),
    pytest.param(
        with_entries(*(e for e in ENTRIES if not isinstance(e, SourceConnectionId))),
        "missing parameter",
        "mandatory",
        id="no source connection ID",
    ),
    pytest.param(with_entries(*without(0x05)), "missing parameter", "no response", id="no stream credit"),
    pytest.param(with_entries(*ENTRIES, Integer(id=4, value=1)), "repeated", "initial_max_data", id="twice"),
    pytest.param(changed(0x09, 2), "unkept limit", "less than HTTP/3 needs", id="too few streams"),
    pytest.param(changed(0x03, 1000), "invalid parameter", "", id="UDP payload"),
    pytest.param(
        replace(CHROME, engine=replace(CHROME.engine, datagrams=False)),
        "unkept limit",
        "DATAGRAM is switched off",
        id="datagrams",
    ),
    pytest.param(
        with_entries(*ENTRIES, Integer(id=0x0B, value=5)),
        "unkept limit",
        "acknowledgements wait",
        id="ack delay",
    ),
    pytest.param(
        with_extension(CompressCertificate(algorithms=(2, 9))),
        "certificate compression",
        "0x0009",
        id="compression",
    ),
    pytest.param(
        with_extension(KeyShare(groups=(0x001E,))), "key shares", "no key can be made for 0x001e", id="share"
    ),
    pytest.param(
        with_extension(KeyShare(groups=(0x0019,))), "key shares", "does not list", id="share not listed"
    ),
    pytest.param(with_extension(ApplicationSettings(id=17_514)), "application settings", "17514", id="ALPS"),
    pytest.param(with_extension(Raw(id=42)), "raw extension", "early_data", id="raw early_data"),
    pytest.param(
        replace(CHROME, hello=replace(CHROME.hello, cipher_suites=(0x1301, 0x1304))),
        "cipher suites",
        "0x1304",
        id="cipher suite",
    ),
    pytest.param(
        replace(CHROME, hello=replace(CHROME.hello, session_id_size=32)),
        "session id",
        "not empty",
        id="session",
    ),
]


@pytest.mark.parametrize(("faulty", "kind", "words"), FAULTS)
def test_a_fault_is_an_error(faulty: ClientProfile, kind: str, words: str) -> None:
    errors = [finding for finding in lint(faulty) if finding.severity == "error"]

    assert any(finding.kind == kind and words in finding.message for finding in errors), errors


def test_a_hello_without_transport_parameters_is_an_error() -> None:
    assert CHROME.hello is not None
    others = tuple(item for item in CHROME.hello.extensions if not isinstance(item, QuicTransportParameters))
    faulty = replace(CHROME, hello=replace(CHROME.hello, extensions=others))

    assert "error" in {finding.severity for finding in lint(faulty)}


def test_a_group_that_cannot_be_chosen_is_a_warning() -> None:
    [finding] = lint(with_extension(SupportedGroups(groups=(0x11EC, 0x001D, 0x001E))))

    assert ("warning", "groups") == (finding.severity, finding.kind)
    assert "0x001e" in finding.message


def test_the_command_fails_on_errors_only(tmp_path: Path) -> None:
    file = tmp_path / "faulty.toml"
    file.write_text(versions("00000001 9f1b3a7a 00000001").to_toml())
    faulty = CliRunner().invoke(cli, ["lint", str(file), "--json"])

    assert 1 == faulty.exit_code
    assert "malformed GREASE" in {item["kind"] for item in json.loads(faulty.stdout)}
    assert 1 == CliRunner().invoke(cli, ["lint", str(file)]).exit_code
    assert (0, "chrome-156: nothing found\n") == (
        (sound := CliRunner().invoke(cli, ["lint", "chrome"])).exit_code,
        sound.stdout,
    )
