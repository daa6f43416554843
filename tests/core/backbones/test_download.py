"""Downloads over connections that break: what has come is kept, and only the rest is asked for."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from affordance_grounding_core.backbones import download as module
from affordance_grounding_core.backbones.download import download, download_wheel
from affordance_grounding_core.errors import WeightsError

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Publisher(ThreadingHTTPServer):
    """Serves `content`, and breaks each answer off after `cut` bytes.

    `knows_parts` False: it answers every request with everything. `asked` has the ranges. `pages`
    are answered whole.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = CONTENT
        self.cut = len(CONTENT)
        self.knows_parts = True
        self.asked: list[str | None] = []
        self.pages: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/weights"


class Answer(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        if page := self.server.pages.get(self.path):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())
            return
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        content, whole = self.server.content, len(self.server.content)
        begin = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1)) if asked else 0
        if not self.server.knows_parts:
            begin = 0
        if begin >= whole:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(whole - begin))
        self.send_header("ETag", '"of this content"')
        self.end_headers()
        self.wfile.write(content[begin : begin + self.server.cut])

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """A server on this machine, asked without a pause and without a proxy."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_connection_that_breaks_is_made_again_for_the_rest(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.cut = 4000
    download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert (tmp_path / "weights").read_bytes() == CONTENT
    assert publisher.asked == [None, "bytes=4000-", "bytes=8000-"]


def test_the_next_call_goes_on_where_one_was_interrupted(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    publisher.cut = 6000
    monkeypatch.setattr(module.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(publisher.url, tmp_path / "first", DIGEST, 1, kept=tmp_path / "kept")
    assert not (tmp_path / "first").exists()
    download(publisher.url, tmp_path / "second", DIGEST, 1, kept=tmp_path / "kept")
    assert (tmp_path / "second").read_bytes() == CONTENT
    assert publisher.asked == [None, "bytes=6000-"]
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_server_that_knows_no_parts_sends_everything_again(
    publisher: Publisher, tmp_path: Path
) -> None:
    part(tmp_path).write_bytes(CONTENT[:100])
    publisher.knows_parts = False
    download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert (tmp_path / "weights").read_bytes() == CONTENT


def test_what_had_come_whole_is_not_fetched_again(publisher: Publisher, tmp_path: Path) -> None:
    part(tmp_path).write_bytes(CONTENT)
    publisher.cut = 0
    download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert (tmp_path / "weights").read_bytes() == CONTENT
    assert publisher.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("rubbish", [b"x" * 100, b"x" * len(CONTENT), b"x" * 2 * len(CONTENT)])
def test_a_part_of_something_else_is_thrown_away(
    publisher: Publisher, tmp_path: Path, rubbish: bytes
) -> None:
    part(tmp_path).write_bytes(rubbish)
    download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert (tmp_path / "weights").read_bytes() == CONTENT
    assert publisher.asked[-1] is None


def test_another_file_is_refused_and_nothing_of_it_is_kept(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.content = CONTENT[::-1]
    with pytest.raises(WeightsError, match="it is refused"):
        download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert not part(tmp_path).exists()
    assert not (tmp_path / "weights").exists()


def test_a_server_that_sends_nothing_is_not_asked_for_ever(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.cut = 0
    with pytest.raises(ConnectionError, match=f"0 of {len(CONTENT)} bytes came"):
        download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert publisher.asked == [None]
    part(tmp_path).write_bytes(CONTENT[:100])
    with pytest.raises(ConnectionError):
        download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert part(tmp_path).read_bytes() == CONTENT[:100]


def test_a_server_that_falls_silent_half_way_is_given_up_after_some_tries(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_silent(_: float) -> None:
        publisher.cut = 0

    monkeypatch.setattr(module.time, "sleep", fall_silent)
    publisher.cut = 1000
    with pytest.raises(ConnectionError):
        download(publisher.url, tmp_path / "weights", DIGEST, 1)
    assert publisher.asked == [None, *["bytes=1000-"] * module.TRIES]
    assert part(tmp_path).read_bytes() == CONTENT[:1000]


def part(folder: Path) -> Path:
    """File that holds what has come so far."""
    return folder / f".{DIGEST[:16]}.part"


def made_up_wheel() -> bytes:
    """A wheel that pip accepts, with nothing to run in it."""
    folder, written = "made_up-1.0.dist-info", io.BytesIO()
    with zipfile.ZipFile(written, "w") as wheel:
        wheel.writestr("weights.bin", CONTENT)
        wheel.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{folder}/RECORD", "")
    return written.getvalue()


def test_pip_goes_on_where_its_connection_broke(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.content, publisher.cut = made_up_wheel(), 6000
    name = "made_up-1.0-py3-none-any.whl"
    publisher.pages["/simple/made-up/"] = f'<a href="/files/{name}">{name}</a>'
    address = f"http://127.0.0.1:{publisher.server_address[1]}/simple"
    for option in ("EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CONSTRAINT"):
        monkeypatch.delenv(f"PIP_{option}", raising=False)
    for option, value in (
        ("CONFIG_FILE", "/dev/null"),
        ("INDEX_URL", address),
        ("NO_CACHE_DIR", "1"),
    ):
        monkeypatch.setenv(f"PIP_{option}", value)
    digest = hashlib.sha256(publisher.content).hexdigest()
    wheel = download_wheel("made-up==1.0", digest, tmp_path)
    assert wheel.read_bytes() == publisher.content
    assert publisher.asked == [None, "bytes=6000-"]
