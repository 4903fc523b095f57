"""`rc sql` and `rc db`: statements, files, named queries and pinned artifacts."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.sql.named_queries import named_queries
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_a_preferred_artifact_is_queried(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    first = make(Ingest(), root)
    make(Ingest(count=3), root)
    count = "SELECT count(*) AS n FROM images"
    assert rc("sql", count, "--format", "csv").out.split() == ["n", "3"]
    assert rc("sql", count, "--format", "csv", "--use", first.address).out.split() == ["n", "20"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["DROP VIEW images"], "rc sql answers one SELECT at a time and changes nothing"),
        (["SELECT 1; SELECT 2"], "rc sql answers one SELECT at a time"),
        (["FROM nowhere"], "there is no table nowhere; there are artifacts, "),
        (
            ["FROM images", "--format", "xml"],
            "--format must be one of table, csv, json",
        ),
        (["FROM images", "--use", "images@00"], "no artifact matches 'images@00'"),
        (["SELECT image_id::INTEGER FROM images"], "Conversion Error"),
    ],
)
def test_a_wrong_statement_is_one_sentence_and_code_1(rc, root: Path, words, message) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    answer = rc("sql", *words)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: ")
    assert message in answer.err


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_several_results_are_not_written_to_one_file(
    rc, root: Path, tmp_path: Path, form: str
) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    file = tmp_path / "two.sql"
    file.write_text("SELECT error('asked');\nSELECT 2;\n")
    answer = rc("sql", "--file", file, "--format", form)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        f"error: rc sql: --format {form} writes the result of one statement, got 2; "
        "run them one at a time, or with --format json\n"
    )


def test_an_empty_statement_is_refused(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    assert "answers one SELECT at a time" in rc("sql", "").err
    assert "no query is called ''" in rc("sql", "--query", "").err
    assert "not both" in rc("sql", "", "--query", "refused").err


def test_statements_are_read_from_standard_input(rc, root: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=3), root)
    for words in ((), ("--file", "-")):
        monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS a; SELECT 2 AS b;"))
        assert rc("sql", *words, "--format", "json").out == '{"a": 1}\n{"b": 2}\n'


def test_the_page_of_named_queries_has_every_query_with_its_result(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=6)
    page = rc("queries").out
    for query in named_queries().values():
        section = page.split(f"\n## {query.name}\n", 1)[1].split("\n## ", 1)[0]
        assert f"{query.doc} {query.needs}" in section
        assert query.statement in section
        assert "\n|---|" in section


@pytest.mark.parametrize(("words", "kind"), [((), "views"), (("--materialize",), "tables")])
def test_a_database_is_written_once_and_replaced_with_force(
    rc,  # type: ignore[no-untyped-def]
    root: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    kind: str,
) -> None:
    make(Ingest(count=3), root)
    out = tmp_path / "out.duckdb"
    expected = f"{out}  6 {kind}: artifacts, captions, images, lineage, objects, quarantine\n"
    assert rc("db", out, *words).out == expected
    assert "--force to replace it" in rc("db", out, *words).err
    assert rc("db", out, *words, "--force").out == expected


def test_a_database_is_not_written_where_duckdb_would_write_elsewhere(rc, root, tmp_path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=3), root)
    (tmp_path / "a?b").mkdir()
    answer = rc("db", tmp_path / "a?b" / "x.duckdb")
    assert (answer.code, answer.out) == (1, "")
    assert "what follows '?' for settings; name a file without '?'" in answer.err
    assert list((tmp_path / "a?b").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["x[1]", "run*", "a?b", "{1..3}", "q'q", "ü 空", "image_id=7", "~"]
)
def test_every_command_reads_the_files_of_its_own_store(  # type: ignore[no-untyped-def]
    rc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_all(tmp_path / name / "s", 9)
    make_all(tmp_path / "other", 30)
    for sibling in ("x1", "run1", "axb", "1"):
        shutil.copytree(tmp_path / "other", tmp_path / sibling / "s", copy_function=os.link)
    for store in (tmp_path / name / "s", f"{name}/s"):
        how = ("--store", store, "--format", "csv")
        assert rc("sql", "SELECT count(DISTINCT image_id) FROM images", *how).out.split()[-1] == "7"
        assert rc("sql", "SELECT count(*) FROM pseudo_labels", *how).out.split()[-1] == "21"
        assert rc("what-if", "--min-probability", "0", *how).out.split()[-1].count(",21,") == 1
    at = ("--store", f"{name}/s")
    assert rc("export", "parquet", f"{name}/out", "--images", "none", *at).code == 0
    assert pq.ParquetFile(tmp_path / name / "out" / "labels.parquet").metadata.num_rows == 14
    assert rc("train", "--where", "region = 0", *at).code == 0
    assert rc("verify", *at).out.startswith("9 artifacts verified")
    for number, copied in enumerate(((), ("--materialize",))):
        folder = "other" if "?" in name else name  # DuckDB reads there, but cannot write
        path = f"{folder}/db{number}.duckdb"
        assert rc("db", path, *at, *copied).code == 0
        with duckdb.connect(tmp_path / path) as connection:
            assert connection.execute("SELECT count(*) FROM images").fetchone() == (7,)
