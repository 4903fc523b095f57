"""The files of a gallery folder: page, answers and pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gallery.folder.output_folder import OutputFolder
from pipeline.gallery.server import STATIC
from schemas.errors import QueryError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def output(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path)


def test_the_page_loads_only_its_own_classic_script(output: OutputFolder, tmp_path: Path) -> None:
    output.write_pages()
    page = (tmp_path / "index.html").read_text()
    assert 'type="module"' not in page
    assert page.count("<script") == 1
    assert '<script defer src="static/gallery.js"></script>' in page
    assert "import " not in (tmp_path / "static" / "gallery.js").read_text().split("\n")[0]
    assert (tmp_path / "static" / "app.css").read_text() == (STATIC / "app.css").read_text()


def test_the_page_forbids_other_sites_and_inline_scripts(
    output: OutputFolder, tmp_path: Path
) -> None:
    output.write_pages()
    head = (tmp_path / "index.html").read_text().partition("<script")[0]
    assert '<meta http-equiv="content-security-policy"' in head
    assert "default-src 'none'; script-src 'self';" in head
    assert "connect-src" not in head
    assert "unsafe" not in head


HOSTILE = '</script>"); alert(1); put("x", "\u2028 \\ \' ` ${1}'


@pytest.mark.parametrize(
    "answer",
    [
        {"caption": HOSTILE},
        [],
        None,
        [1, 2.5, "é", True],
        {"nested": [{"a": None}]},
    ],
)
def test_a_script_passes_the_answer_as_one_string_of_json(
    output: OutputFolder, tmp_path: Path, answer: Any
) -> None:
    assert output.write_answer("name-1", lambda: answer) == answer
    text = (tmp_path / "data" / "name-1.js").read_text()
    assert text.startswith('put("name-1", "')
    literal = text.removeprefix('put("name-1", ').removesuffix(");\n")
    assert json.loads(json.loads(literal)) == answer


def test_a_browser_would_run_nothing_but_put(output: OutputFolder, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    output.write_answer("x", lambda: {"caption": HOSTILE})
    answer = (tmp_path / "data" / "x.js").read_text()
    (tmp_path / "run.js").write_text(
        f"const put = (name, text) => console.log(JSON.parse(text).caption);\n{answer}"
    )
    command = ["node", tmp_path / "run.js"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == HOSTILE + "\n"


def test_a_query_without_an_answer_becomes_its_sentence(
    output: OutputFolder, tmp_path: Path
) -> None:
    def fail() -> None:
        raise QueryError("there are no labels")

    assert output.write_answer("what-if", fail) == {"problem": "there are no labels"}
    assert "there are no labels" in (tmp_path / "data" / "what-if.js").read_text()


def test_another_error_is_not_hidden(output: OutputFolder, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        output.write_answer("x", lambda: 1 / 0)
    assert list((tmp_path / "data").iterdir()) == []


def test_numbers_that_json_lacks_are_null(output: OutputFolder) -> None:
    assert output.write_answer("x", lambda: [float("nan"), float("inf"), 1.0]) == [None, None, 1.0]


def test_a_picture_is_written_as_it_is(output: OutputFolder, tmp_path: Path) -> None:
    output.write_picture("full-3.jpg", b"\xff\xd8")
    assert (tmp_path / "pictures" / "full-3.jpg").read_bytes() == b"\xff\xd8"


def test_a_folder_that_is_not_empty_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(FileExistsError):
        OutputFolder(tmp_path)
