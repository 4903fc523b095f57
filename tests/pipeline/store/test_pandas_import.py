"""Commands and their workers do without pandas, where it is installed too."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.helpers import ROOT, make_all

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("pandas")


def run(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """What a new process says that runs this code."""
    command = [sys.executable, "-c", f"import sys\n{code}", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_without_it_pyarrow_imports_pandas_for_a_list() -> None:
    done = run("import pyarrow; pyarrow.array([0]); print('pandas' in sys.modules)")
    assert done.stdout == "True\n", done.stderr


def test_a_list_is_a_list_and_pandas_can_be_had() -> None:
    done = run(
        "import pyarrow as pa\n"
        "from pipeline.store.pandas_import import leave_pandas_out\n"
        "leave_pandas_out()\n"
        "print(pa.array([1, None]).to_pylist(), 'pandas' in sys.modules, sys.meta_path[0])\n"
        "print(pa.table({'a': [1]}).to_pandas()['a'].tolist())"
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("[1, None] False "), done.stderr
    assert "NoPandas" not in first
    assert second == "[1]"


@pytest.mark.slow
@pytest.mark.parametrize("words", [("sql", "FROM images"), ("lineage", "images"), ("verify",)])
def test_commands_do_without(root: Path, words: tuple[str, ...]) -> None:
    make_all(root, count=2)
    code = (
        "from pipeline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('pandas' in sys.modules, file=sys.stderr)"
    )
    done = run(code, *words, "--store", root)
    assert done.stderr.splitlines()[-1] == "False", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("gc",)])
def test_what_reads_json_needs_neither_arrow_nor_numpy(root: Path, words: tuple[str, ...]) -> None:
    make_all(root, count=2)
    code = (
        "from pipeline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print({'numpy', 'pyarrow', 'duckdb'} & {*sys.modules}, file=sys.stderr)"
    )
    done = run(code, *words, "--store", root)
    assert done.stderr.splitlines()[-1] == "set()", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [("sql", "--help"), ("status", "-h"), ("--version",), ()])
def test_help_does_not_pay_for_arrow(words: tuple[str, ...]) -> None:
    code = (
        "from pipeline.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('pyarrow' in sys.modules, file=sys.stderr)"
    )
    done = run(code, *words)
    assert done.stderr.splitlines()[-1] == "False", done.stderr


@pytest.mark.slow
def test_workers_do_without() -> None:
    done = run(
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from pipeline.execution.engines.pool import _start_worker\n"
        "if __name__ == '__main__':\n"
        "    pool = ProcessPoolExecutor(1, get_context('fork'), _start_worker, ([0],))\n"
        "    print(pool.submit(eval, \"len(__import__('pyarrow').array([0]))\").result())\n"
        "    print(pool.submit(eval, \"'pandas' in __import__('sys').modules\").result())"
    )
    assert done.stdout.split() == ["1", "False"], done.stderr
