"""`rc` as a process: signals, quotas, and what it does not import."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.store import catalog
from tests.pipeline.helpers import ROOT, command, contents, make, rc
from tests.pipeline.toys import Ingest, Propose
from tests.small_disk import small_disk
from tests.waiting import HANG_S, until

if TYPE_CHECKING:
    from pathlib import Path


def at_work(root: Path, *words: str) -> subprocess.Popen[str]:
    """An ingest in its own session, once it has finished a part."""
    run = subprocess.Popen(
        command("ingest", "--store", root, *words),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def finished_a_part() -> bool:
        assert run.poll() is None, run.communicate()[1]
        return bool(list(root.glob("images/v*/part-00000.parquet")))

    until(finished_a_part, "no part was ever finished")
    return run


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_prints_how_to_resume_and_leaves_no_process(
    root: Path, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    log, never = tmp_path / "l g", tmp_path / "never"
    words = ["--workers", workers, "--count", "40", "--gate", str(never), "--mark", str(log)]
    run = at_work(root, *words)
    if number == signal.SIGINT:
        os.killpg(run.pid, number)  # as a terminal does
    else:
        run.send_signal(number)
    out, errors = run.communicate(timeout=HANG_S)
    assert (run.returncode, out) == (130, "")
    resume = f"ingest --store {root} --workers {workers} --count 40 --gate {never} --mark '{log}'"
    message = f"interrupted; finished parts are kept. To resume: rc {resume}"
    progress = re.compile(r"ingest: [\d,]+ of 40 images(, .*)?")
    assert [line for line in errors.splitlines() if not progress.fullmatch(line)] == [message]
    until(lambda: not any(alive(pid) for pid in seen_in(log)), "a worker lives on")
    made = make(Ingest(count=40), root)
    assert contents(made.path) == contents(make(Ingest(count=40), tmp_path / "peace").path)


def seen_in(log: Path) -> set[int]:
    """Processes that have computed parts."""
    return {int(line.split()[2]) for line in log.read_text().splitlines()}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_workers_of_a_killed_run_die_with_it(root: Path, tmp_path: Path) -> None:
    log, never = tmp_path / "log", tmp_path / "never"
    words = ["--workers", "2", "--count", "60", "--gate", str(never), "--mark", str(log)]
    run = at_work(root, *words)
    until(lambda: len(seen_in(log)) == 2, "a worker never began")
    run.kill()
    run.communicate()
    until(lambda: not any(alive(pid) for pid in seen_in(log)), "a worker lives on")
    assert run.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_an_exceeded_quota_gives_a_sentence_and_leaves_no_part(root: Path, tmp_path: Path) -> None:
    make(Ingest(), root)

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))

    result = rc("propose", "--store", root, "--regions", "200", "--quiet", preexec_fn=little)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: rc propose: the disk or")
    assert "Traceback" not in result.stderr
    assert catalog.committed(root, "proposals") == []
    assert not list(root.glob("proposals/v*/*.parquet"))
    made = make(Propose(regions=200), root)
    assert contents(made.path) == contents(undisturbed(tmp_path).path)


def undisturbed(tmp_path: Path):  # type: ignore[no-untyped-def]
    make(Ingest(), tmp_path / "peace")
    return make(Propose(regions=200), tmp_path / "peace")


@pytest.mark.slow
def test_a_closed_output_causes_no_traceback(root: Path) -> None:
    make(Ingest(count=3000, per_part=3000, batch=3000), root)
    with subprocess.Popen(
        command("sql", "FROM images", "--store", root, "--format", "json"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"image_id"')
        process.stdout.close()
        assert "Traceback" not in (process.stderr.read() if process.stderr else "")
        process.wait(timeout=HANG_S)


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pyarrow', 'duckdb', 'spacy', 'open_clip', 'h5py', 'faiss', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip().endswith("[]"), done.stderr


@pytest.mark.slow
def test_help_of_a_verb_does_not_pay_for_torch() -> None:
    code = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "from pipeline.verbs import VERBS\n"
        "for verb in VERBS:\n"
        "    try: main([*verb.split(), '--help'])\n"
        "    except SystemExit: pass\n"
        "    assert 'torch' not in sys.modules, verb\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_full_disk_is_the_same_sentence_where_no_artifact_is_written(tmp_path: Path) -> None:
    with small_disk(1000):
        done = rc("draw", "web", tmp_path / "out", "--count", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"error: the disk or the quota is full: .* could not be written\. Make room, then run the "
        r"same command again\.\n",
        done.stderr,
    )
