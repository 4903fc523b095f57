"""`--ranks` on the command line: interrupted and killed, no rank stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.helpers import ROOT
from tests.waiting import HANG_S, until, until_ended

pytestmark = pytest.mark.slow


def start(folder: Path) -> subprocess.Popen[str]:
    """Two ranks, one of which waits in the middle of its training, and the other for it."""
    words = ["pretrain", "--steps", "4", "--ranks", "2", "--device", "cpu", "--store"]
    words += [str(folder / "store"), "--watched", str(folder), "--trouble", "1:2:waits"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.rank_toys", *words],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    waits = folder / "waits"
    until(lambda: waits.exists() or process.poll() is not None, "the ranks do not begin")
    assert process.poll() is None, process.communicate()
    return process


def ranks_of(folder: Path) -> list[int]:
    return [int((folder / f"rank-{rank}").read_text()) for rank in (0, 1)]


def test_an_interrupted_run_ends_its_ranks_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, out) == (130, "")
    said = r"interrupted; finished parts are kept\. To resume: rc pretrain --steps 4 .*"
    assert re.fullmatch(said, err.splitlines()[-1])
    assert "Traceback" not in err
    assert until_ended(*ranks_of(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes a second or two")
def test_the_ranks_of_a_killed_command_end(tmp_path: Path) -> None:
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=HANG_S)
    assert until_ended(*ranks_of(tmp_path))


def test_a_dry_run_of_a_rank_names_what_all_ranks_would_make(tmp_path: Path) -> None:
    place = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}  # nobody goes there
    joined, started, alone = (
        forecast(tmp_path, *words, **environment)
        for words, environment in (((), place), (("--ranks", "2"), {}), ((), {}))
    )
    assert joined == started != alone
    assert "would compute 1 of 1 parts" in joined


def forecast(folder: Path, *words: str, **environment: str) -> str:
    """What a dry run prints, where the number of ranks decides."""
    command = [sys.executable, "-m", "tests.pipeline.rank_toys", "pretrain", "--steps", "4"]
    command += ["--device", "cpu", "--decide", "--dry-run", "--store", str(folder), *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
