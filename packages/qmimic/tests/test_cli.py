"""The commands, each run as a user runs it, in this process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qmimic.adapters.cli import cli
from qmimic.capture import read_capture
from qmimic.catalog import BUILT_IN
from qmimic.profile import ClientProfile


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def objects(result: Result) -> Any:
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


def test_demo_agrees_with_captures() -> None:
    result = run("demo")

    assert 0 == result.exit_code, result.output
    assert 5 == result.stdout.count("agrees")
    assert "differs" not in result.stdout
    assert "datagram 2: 1250 bytes" in result.stdout


def test_profiles() -> None:
    text = run("profiles").stdout
    listed = objects(run("profiles", "--json"))

    assert [info["name"] for info in listed] == list(BUILT_IN)
    assert {"name", "client", "version", "platform", "provenance", "aliases"} == set(listed[0])
    assert all(info["name"] in text and info["provenance"] in text for info in listed)


def test_shown_profiles_are_taken_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(run("show", "chrome", "--toml").stdout)

    assert BUILT_IN["chrome-156"] == ClientProfile.from_toml(file.read_text())
    assert run("show", "chrome").stdout == run("show", file).stdout
    assert 0 == run("draw", file, "--seed", "1", "--jsonl").exit_code


def test_draw_prints_captures(tmp_path: Path) -> None:
    result = run("draw", "chrome", "--count", "3", "--seed", "5", "--server-name", "a.example")
    file = tmp_path / "drawn.jsonl"
    file.write_text(result.stdout)
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert 3 == len(lines) == len(read_capture(file))
    assert {
        "client": "Chromium",
        "version": "156.0.8078.79",
        "kind": "flight",
        "label": "drawn",
        "seed": 5,
        "host": "a.example",
        "port": 443,
        "family": 4,
        "mtu": 1500,
    } == {key: value for key, value in lines[0].items() if key != "datagrams"}
    assert [("c", 2500), ("c", 2500)] == [
        (entry["dir"], len(entry["hex"])) for entry in lines[0]["datagrams"]
    ]
    times = [entry["t"] for entry in lines[0]["datagrams"]]
    assert 0.0 == times[0] <= times[1]
    assert (
        result.stdout
        == run("draw", "chrome", "--count", "3", "--seed", "5", "--server-name", "a.example").stdout
    )


def test_draw_takes_names_from_a_file_in_turn(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("a.example\n# comment\n\nb.example\n")
    result = run("draw", "chrome", "--count", "3", "--server-name", f"@{names}", "--family", "6", "--resumed")
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert ["a.example", "b.example", "a.example"] == [line["host"] for line in lines]
    assert {6} == {line["family"] for line in lines}
    assert {1230} == {len(entry["hex"]) // 2 for line in lines for entry in line["datagrams"]}


def test_unseeded_draws_differ() -> None:
    assert run("draw", "chrome").stdout != run("draw", "chrome").stdout


def test_fingerprint(captures: Path) -> None:
    file = captures / "chromium-156.0.8078.79-flight6.jsonl"
    records = objects(run("fingerprint", file, "--json"))
    text = run("fingerprint", file).stdout

    assert 4 == len(records)
    assert {"8fad1ce0b2129785"} == {record["super_fp"] for record in records}
    assert [record["conn_key"] for record in records] == sorted(record["conn_key"] for record in records)
    for value in ("8fad1ce0b2129785", "e664bcd7811126b9", "q13d0312h3_55b375c5d22e_178839b6cec1"):
        assert 4 == text.count(value)


def test_fingerprint_with_keys_tells_http3(captures: Path) -> None:
    file = captures / "chromium-156.0.8078.79-h3.jsonl"
    result = run("fingerprint", file, "--counts")

    assert 2 == result.stdout.count("1:65536;6:262144;7:100;51:1;GREASE|m,a,s,p")
    assert "flights: 2" in result.stderr
    assert {"1:65536;6:262144;7:100;51:1;GREASE|m,a,s,p"} == {
        record["http3"] for record in objects(run("fingerprint", file, "--json"))
    }


def test_fingerprint_of_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text('{"datagrams": []}\n')

    assert [] == objects(run("fingerprint", file, "--json"))
    assert "no first flight" in run("fingerprint", file).stdout


def test_dissect(captures: Path, tmp_path: Path) -> None:
    file = captures / "chromium-156.0.8078.79-h3.jsonl"
    dissected = objects(run("dissect", file, "--json"))
    text = run("dissect", file).stdout

    assert 2 == len(dissected)
    assert "one_rtt" in json.dumps(dissected)
    for word in ("ClientHello for", "trust_anchors", "crypto offset=", "handshake_done", "new_token"):
        assert word in text


MISUSE = [
    pytest.param(["get"], "Missing argument", id="no URL"),
    pytest.param(["get", "http://localhost/"], "not an https URL", id="http"),
    pytest.param(["get", "https://"], "not an https URL", id="no host"),
    pytest.param(["get", "https://localhost:99999/"], "not an https URL", id="port"),
    pytest.param(["get", "https://localhost/", "-H", "name"], "not NAME:VALUE", id="header"),
    pytest.param(["get", "https://localhost/", "-H", "a b: c"], "field name", id="header name"),
    pytest.param(
        ["get", "https://localhost/", "--resolve", "localhost:443"], "HOST:PORT:ADDRESS", id="resolve"
    ),
    pytest.param(["get", "https://localhost/", "--as", "netscape"], "no profile named", id="profile"),
    pytest.param(["get", "https://localhost/", "--as", "/absent.toml"], "No such file", id="profile file"),
    pytest.param(["get", "https://localhost/", "--ca", "/absent.pem"], "does not exist", id="ca"),
    pytest.param(["get", "https://localhost/", "-d", "@/absent"], "No such file", id="data"),
    pytest.param(["get", "https://localhost/", "--colour"], "No such option", id="option"),
    pytest.param(["serve", "/absent"], "No such file", id="folder"),
    pytest.param(["serve", "--workers", "0"], "x>=1", id="workers"),
    pytest.param(["serve", ".", "--key", "k.pem"], "--key needs --cert", id="key"),
    pytest.param(["serve", "--app", "module"], "not MODULE:APP", id="app"),
    pytest.param(["draw", "chrome", "--count", "0"], "x>=1", id="count"),
    pytest.param(["draw", "chrome", "--family", "5"], "'5' is not one of", id="family"),
    pytest.param(["draw", "chrome", "--server-name", "@/absent"], "No such file", id="names"),
    pytest.param(["fingerprint"], "give a FILE, or --listen PORT", id="nothing to fingerprint"),
    pytest.param(
        ["get", "https://a.example/", "--ca", __file__], "no certificates in it", id="other file for ca"
    ),
    pytest.param(["fingerprint", "x", "--answer"], "--answer needs --listen", id="answer"),
    pytest.param(["lint", "netscape"], "there are chrome", id="lint"),
    pytest.param(["diff", "chrome", "netscape"], "there are chrome", id="diff"),
    pytest.param(["diff", "chrome", "absent.jsonl"], "absent.jsonl: No such file", id="diff with a file"),
    pytest.param(["diff", "chrome", __file__], "not a pcap, pcapng or captures", id="diff with another file"),
    pytest.param(["serve"], "give a DIR, or --app", id="nothing to serve"),
    pytest.param(["draw", "chrome", "--server-name", ""], "without a name", id="no server name"),
    pytest.param(["netscape"], "No such command 'netscape'", id="command"),
    pytest.param(["get", "--colour", "https://a.example/"], "No such option", id="option"),
    pytest.param(["show", "netscape"], "there are chrome", id="show"),
]


@pytest.mark.parametrize(("arguments", "words"), MISUSE)
def test_misuse_exits_with_2(arguments: list[str], words: str) -> None:
    result = run(*arguments)

    assert 2 == result.exit_code, result.output
    assert words in result.stderr
    assert 1 == len(result.stderr.splitlines())
    assert result.stderr.startswith("qmimic")
    assert "" == result.stdout


FAILURES = [
    pytest.param(["fingerprint", "/absent"], "/absent: No such file or directory", id="no capture"),
    pytest.param(["dissect", "/absent"], "/absent: No such file or directory", id="no capture to dissect"),
    pytest.param(["serve", "--app", "no_such_module:app"], "No module named", id="no application"),
    pytest.param(["serve", ".", "--cert", "/absent.pem"], "/absent.pem: No such file", id="no certificate"),
    pytest.param(["get", "https://localhost:1/"], "https://localhost:1/: ", id="nobody listens"),
    pytest.param(["get", "https://no-such-host.invalid/"], "no-such-host.invalid", id="unknown host"),
]


@pytest.mark.parametrize(("arguments", "words"), FAILURES)
def test_failures_exit_with_1_and_one_line(arguments: list[str], words: str) -> None:
    result = run(*arguments)

    assert 1 == result.exit_code, result.output
    assert 1 == len(result.stderr.splitlines())
    assert result.stderr.startswith("qmimic: ")
    assert words in result.stderr


def test_an_overflowing_layout_is_refused(tmp_path: Path) -> None:
    text = run("show", "chrome", "--toml").stdout
    file = tmp_path / "broken.toml"
    file.write_text(text.replace("destination_cid_size = 8", "destination_cid_size = 30"))
    result = run("draw", file)

    assert 1 == result.exit_code
    assert "8 to 20 bytes" in result.stderr


def test_an_interrupt_while_the_commands_are_imported_ends_it_quietly() -> None:
    code = """
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == 'qmimic.adapters.cli':
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from qmimic.__main__ import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (130, "", "") == (ended.returncode, ended.stdout, ended.stderr)
