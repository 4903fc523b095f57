"""`rc sql` without a statement: the prompt, its commands and its history."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.prompt import prompt
from pipeline.cli.row_formats import ROW_WRITERS
from pipeline.cli.sql_session import SqlSession
from schemas.errors import OptionError
from tests.pipeline.helpers import ROOT, command, make, make_all
from tests.pipeline.toys import Ingest
from tests.waiting import HANG_S, until_asleep, until_busy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def type_lines(root: Path, *lines: str) -> None:
    remaining = iter(lines)

    def read(_mark: str) -> str:
        for line in remaining:
            return line
        raise EOFError

    prompt(SqlSession(root, [], "csv"), read)


def test_lines_are_one_statement_up_to_a_semicolon(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Ingest(count=3), root)
    type_lines(root, "SELECT count(*) AS n", "FROM images;", "SELECT 2 AS two", "")
    assert capsys.readouterr().out.split() == ["n", "3", "two", "2"]


def test_an_error_is_one_sentence_and_the_prompt_continues(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Ingest(count=3), root)
    type_lines(
        root,
        "FROM nowhere;",
        "DROP VIEW images;",
        ".query nonsense",
        ".format xml",
        "SELECT 1 AS a;",
    )
    out, err = capsys.readouterr()
    assert out.split() == ["a", "1"]
    assert err.count("error: ") == 4


def test_dot_commands_list_tables_columns_and_queries(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_all(root)
    type_lines(root, ".tables", ".schema pseudo_labels", ".schema nowhere", ".queries", ".help")
    out = capsys.readouterr().out
    assert "judged_labels\n" in out
    assert "probability FLOAT" in out
    assert "there is no view 'nowhere'" in out
    assert "rare-concepts" in out
    assert "Ctrl-D leaves" in out
    assert all(name in out.partition(".format NAME")[2] for name in ROW_WRITERS)


def test_a_dot_command_without_its_name_lists_the_names(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Ingest(count=3), root)
    type_lines(root, ".schema", ".schema ")
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert re.fullmatch(r".schema takes the name of a view: artifacts, .*\bimages\b.*", first)


@pytest.mark.parametrize("word", [".quit", ".exit", "exit", "QUIT;", " Exit ; ", "quit"])
def test_quit_ends_the_prompt_at_once(
    root: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    make(Ingest(count=3), root)
    with pytest.raises(SystemExit) as left:
        type_lines(root, word, "SELECT 1;")
    assert left.value.code == 0
    assert capsys.readouterr().out == ""


def test_an_older_artifact_can_be_named_at_any_time(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make(Ingest(count=5), root)
    make(Ingest(count=3), root)
    pin = f"images@{old.manifest.fingerprint[:6]}"
    type_lines(
        root,
        "SELECT count(*) AS n FROM images;",
        f"SELECT count(*) AS n FROM {pin};",
        "FROM images@00;",
    )
    out, err = capsys.readouterr()
    assert out.split() == ["n", "3", "n", "5"]
    assert "no artifact matches" in err


def test_the_history_is_kept_for_its_owner_alone(root: Path, tmp_path: Path) -> None:
    make(Ingest(count=3), root)
    type_lines(root, "SELECT 1;")
    kept = tmp_path / "state" / "rc" / "sql_history"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_finished_statement_is_one_entry_of_the_history(root: Path, tmp_path: Path) -> None:
    make(Ingest(count=3), root)
    lines = ("SELECT 1,", "2;", "SELECT 3 -- three", ", 4;", ".help", ".help", "SELECT 5", "")
    type_lines(root, *lines, "SELECT 'never finished'")
    kept = tmp_path / "state" / "rc" / "sql_history"
    entries = ["SELECT 1, 2;", "SELECT 3 -- three", ", 4;", ".help", "SELECT 5"]
    assert kept.read_text().splitlines() == entries


def test_an_unknown_format_is_refused(root: Path) -> None:
    with pytest.raises(OptionError, match="--format must be one of"):
        SqlSession(root, [], "xml")


def test_a_file_of_statements_is_answered_in_order(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=3), root)
    file = tmp_path / "questions.sql"
    file.write_text("SELECT 1 AS a;\nSELECT count(*) AS n FROM images; -- done\n")
    out = rc("sql", "--file", file, "--format", "json").out
    assert out.splitlines() == ['{"a": 1}', '{"n": 3}']
    assert "cannot be read" in rc("sql", "--file", tmp_path / "none.sql").err
    assert "give one of STATEMENT and --file" in rc("sql", "SELECT 1", "--file", file).err


def test_a_question_by_name_is_answered(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root)
    assert "regions" in rc("sql", "--query", "frequent-concepts").out
    assert "no query is called" in rc("sql", "--query", "nonsense").err


def test_a_database_is_written_and_told(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root)
    answer = rc("db", tmp_path / "out.duckdb")
    assert answer.code == 0
    assert "out.duckdb" in answer.out
    assert (tmp_path / "out.duckdb").stat().st_size > 0


def test_ctrl_c_cancels_a_line_or_a_query_and_the_prompt_continues(root: Path) -> None:
    make(Ingest(count=3), root)
    assert on_a_terminal(root, leave_and_come_back) == 0


def test_tab_completes_and_up_recalls(root: Path) -> None:
    make(Ingest(count=3), root)
    assert on_a_terminal(root, complete_and_recall) == 0


def on_a_terminal(root: Path, act: Callable[[subprocess.Popen[bytes], int], None]) -> int:
    """Act on a prompt until it is told to leave; the code it leaves with."""
    ours, theirs = pty.openpty()
    words = command("sql", "--store", root, "--format", "csv")
    with subprocess.Popen(words, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            act(process, ours)
            return process.wait(HANG_S)
        finally:
            process.kill()
            os.close(ours)


def complete_and_recall(process: subprocess.Popen[bytes], ours: int) -> None:
    wait_for(ours, "rc> ")
    for begun, finished in (
        (b".sch\t ima\t", ".schema images"),
        (b".query rare\t", ".query rare-concepts"),
        (b".query rare-co\t", ".query rare-concepts"),
        (b".format mark\t", ".format markdown"),
        (b"SELECT width-hei\t", "SELECT width-height"),
    ):
        os.write(ours, begun)
        wait_for(ours, finished)
        drop(process, ours)
    os.write(ours, b"SELECT 40 +\n2 AS n;\n")
    wait_for(ours, "n\r\n42\r\n")
    os.write(ours, b"\x1b[A")
    wait_for(ours, "SELECT 40 + 2 AS n;")
    os.write(ours, b"\nexit\n")
    wait_for(ours, "n\r\n42\r\n")


def leave_and_come_back(process: subprocess.Popen[bytes], ours: int) -> None:
    wait_for(ours, "rc> ")
    os.write(ours, b"SELECT half\n")
    wait_for(ours, "... ")
    drop(process, ours)
    os.write(ours, b"SELECT count(*) FROM range(1000000000000);\n")
    wait_for(ours, ";\r\n")
    until_busy(process.pid)
    drop(process, ours)
    os.write(ours, b"\xff\xfe;\n\n")
    wait_for(ours, "rc> ")
    os.write(ours, b"SELECT 40 + 2 AS n;\n")
    wait_for(ours, "n\r\n42\r\n")
    os.write(ours, b".quit\n")


def drop(process: subprocess.Popen[bytes], ours: int) -> None:
    """Ctrl-C, and a new prompt; readline would not hear of it while it draws a line."""
    until_asleep(process.pid)
    process.send_signal(signal.SIGINT)
    wait_for(ours, "rc> ")


def wait_for(terminal: int, text: str) -> None:
    output = b""
    while text.encode() not in output:
        assert select.select([terminal], [], [], HANG_S)[0], output.decode(errors="replace")
        output += os.read(terminal, 4096)
