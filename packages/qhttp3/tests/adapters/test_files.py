import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from qhttp3.adapters.files import INLINE_SIZE, PIECE_SIZE, FileServer

from ..conftest import Serve, run


class Answer:
    """What the application sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.pieces = 0

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            self.body += message["body"]
            self.pieces += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "with index").mkdir()
    (root / "index.html").write_text("<p>front page")
    (root / "with index" / "index.html").write_text("<p>inner page")
    (root / "data.bin").write_bytes(bytes(range(256)))
    (root / "empty").write_bytes(b"")
    (root / "big").write_bytes(os.urandom(3 * PIECE_SIZE + 5))
    (root / "sub" / "ü&<b>.txt").write_text("odd name")
    (root / "inside").symlink_to(root / "data.bin")
    (tmp_path / "secret").write_text("secret")
    (root / "outside").symlink_to(tmp_path / "secret")
    (root / "way out").symlink_to(tmp_path)
    return root


def ask(folder: Path, path: str, method: str = "GET", headers: Any = (), **more: Any) -> Answer:
    answer = Answer()
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": list(headers)}

    async def receive() -> Any:
        raise AssertionError("nobody reads the request")

    asyncio.run(FileServer(folder, **more)(scope, receive, answer.send))
    return answer


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        pytest.param("/data.bin", b"application/octet-stream", bytes(range(256)), id="file"),
        pytest.param("/empty", b"application/octet-stream", b"", id="empty file"),
        pytest.param("/index.html", b"text/html; charset=utf-8", b"<p>front page", id="page"),
        pytest.param("/", b"text/html; charset=utf-8", b"<p>front page", id="index"),
        pytest.param("/with index/", b"text/html; charset=utf-8", b"<p>inner page", id="index of a folder"),
        pytest.param("/sub/ü&<b>.txt", b"text/plain; charset=utf-8", b"odd name", id="odd name"),
        pytest.param("/inside", b"application/octet-stream", bytes(range(256)), id="link within"),
    ],
)
def test_files_are_served(folder: Path, path: str, kind: bytes, body: bytes) -> None:
    answer = ask(folder, path)

    assert (200, kind, body) == (answer.status, answer.headers[b"content-type"], answer.body)
    assert b"%d" % len(body) == answer.headers[b"content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/../secret",
        "/sub/../../secret",
        "/sub/../data.bin",
        "/./data.bin",
        "/outside",
        "/way out/secret",
        "/way out/",
        "/data.bin/",
        "/data.bin/x",
        "/..%2fsecret",
        "/..\\secret",
        "/\0",
        "/" + "x" * 5000,
    ],
)
def test_nothing_else_is(folder: Path, path: str) -> None:
    answer = ask(folder, path)

    assert 404 == answer.status
    assert b"secret" not in answer.body


def test_big_files_come_in_pieces(folder: Path) -> None:
    answer = ask(folder, "/big")

    assert (folder / "big").read_bytes() == answer.body
    assert 4 == answer.pieces
    assert INLINE_SIZE < PIECE_SIZE


def test_head_has_the_fields_alone(folder: Path) -> None:
    for path in ("/big", "/", "/sub/"):
        answer, whole = ask(folder, path, "HEAD"), ask(folder, path)
        assert (b"", whole.headers) == (answer.body, answer.headers)


def test_other_methods_are_not_allowed(folder: Path) -> None:
    answer = ask(folder, "/", "POST")

    assert (405, b"GET, HEAD") == (answer.status, answer.headers[b"allow"])


def test_a_folder_without_slash_leads_to_one_with(folder: Path) -> None:
    assert (308, b"/with%20index/") == (
        (answer := ask(folder, "/with index")).status,
        answer.headers[b"location"],
    )
    assert b"/sub/" == ask(folder, "//sub").headers[b"location"]


def test_folders_are_listed(folder: Path) -> None:
    answer = ask(folder, "/sub/")
    text = answer.body.decode()

    assert 200 == answer.status
    assert 'href="./%C3%BC%26%3Cb%3E.txt"' in text
    assert "ü&amp;&lt;b&gt;.txt" in text
    assert 'href="./deep/"' in text
    assert 404 == ask(folder, "/sub/", listing=False).status


@pytest.mark.parametrize(
    ("value", "part"),
    [
        pytest.param(b"bytes=0-0", (0, 1), id="first byte"),
        pytest.param(b"bytes=10-19", (10, 20), id="middle"),
        pytest.param(b"bytes=250-", (250, 256), id="to the end"),
        pytest.param(b"bytes=-6", (250, 256), id="the last ones"),
        pytest.param(b"bytes=250-9999", (250, 256), id="beyond the end"),
        pytest.param(b"bytes=-9999", (0, 256), id="more than there is"),
    ],
)
def test_ranges(folder: Path, value: bytes, part: tuple[int, int]) -> None:  # RFC 9110 §14
    answer = ask(folder, "/data.bin", headers=[(b"range", value)])

    assert (206, bytes(range(*part))) == (answer.status, answer.body)
    assert b"bytes %d-%d/256" % (part[0], part[1] - 1) == answer.headers[b"content-range"]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"bytes=256-", 416),
        (b"bytes=-0", 416),
        (b"bytes=5-1", 200),
        (b"bytes=0-1,3-4", 200),
        (b"lines=1-2", 200),
        (b"bytes=a-b", 200),
        (b"bytes=-", 200),
        (b"bytes=99999999999999999999-", 200),
    ],
)
def test_other_ranges(folder: Path, value: bytes, status: int) -> None:
    assert status == ask(folder, "/data.bin", headers=[(b"range", value)]).status


def test_what_is_known_is_not_sent_again(folder: Path) -> None:  # RFC 9110 §13
    first = ask(folder, "/data.bin")
    etag, modified = first.headers[b"etag"], first.headers[b"last-modified"]

    for headers, status in (
        ([(b"if-none-match", etag)], 304),
        ([(b"if-none-match", b'"x", W/' + etag)], 304),
        ([(b"if-none-match", b"*")], 304),
        ([(b"if-none-match", b'"x"'), (b"if-modified-since", modified)], 200),
        ([(b"if-modified-since", modified)], 304),
        ([(b"if-modified-since", b"Mon, 01 Jan 1990 00:00:00 GMT")], 200),
        ([(b"if-modified-since", b"yesterday")], 200),
        ([(b"range", b"bytes=0-1"), (b"if-range", b'"x"')], 200),
        ([(b"range", b"bytes=0-1"), (b"if-range", etag)], 206),
    ):
        assert status == ask(folder, "/data.bin", headers=headers).status, headers


def test_over_http3(folder: Path, serve: Serve) -> None:
    async def main() -> None:
        async with serve(FileServer(folder), has_lifespan=True) as (_, client, url):
            for name in ("big", "data.bin", "empty"):
                response = await client.request("GET", f"{url}/{name}")
                assert (folder / name).read_bytes() == await response.read()
            assert 404 == (await client.request("GET", f"{url}/..%2f..%2fsecret")).status

    run(main())


def test_there_must_be_a_folder(folder: Path) -> None:
    with pytest.raises(NotADirectoryError):
        FileServer(folder / "data.bin")
    with pytest.raises(FileNotFoundError):
        FileServer(folder / "nothing")
