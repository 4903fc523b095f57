"""`rc view`: a server for this machine, or a folder."""

from __future__ import annotations

import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.helpers import ROOT, command, make
from tests.pipeline.toys import Ingest
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_it_prints_where_it_is_and_answers_there(root: Path) -> None:
    make(Ingest(count=3), root)
    words = command("view", "--store", root, "--port", "0")
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(address, timeout=HANG_S) as answer:
                assert b"<title>Gallery</title>" in answer.read()
        finally:
            process.kill()


def test_a_port_that_is_taken_is_a_sentence(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=3), root)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = rc("view", "--port", str(port))
    assert answer.code == 1
    assert f"port {port}" in answer.err
    assert "--port 0" in answer.err


def test_an_address_that_is_not_ours_is_a_sentence(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=3), root)
    answer = rc("view", "--host", "no.such.host.example", "--port", "0")
    assert answer.code == 1
    assert "no.such.host.example" in answer.err


def test_a_folder_is_written_and_told(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    answer = rc("view", "--static", str(tmp_path / "out"))
    assert answer.code == 1
    assert "begin with 'rc ingest'" in answer.err
    make(Ingest(count=3), root)
    answer = rc("view", "--static", str(tmp_path / "out"), "--limit", "2", "-q")
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'out' / 'index.html'}  2 images\n")
    assert (tmp_path / "out" / "index.html").is_file()
    answer = rc("view", "--static", str(tmp_path / "out"))
    assert answer.code == 1
    assert "exists; name a new folder" in answer.err


def test_what_a_folder_is_about_is_no_question_of_the_server(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=3), root)
    assert "--use needs --static" in rc("view", "--use", "images").err
