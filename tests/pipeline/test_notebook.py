"""The notebook of the documentation does what it says."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from tests.pipeline.helpers import ROOT
from tests.waiting import HANG_S

pytestmark = pytest.mark.slow


def test_the_notebook_runs_to_its_end() -> None:
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "commit it without its outputs"
    place = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, timeout=HANG_S, startup_timeout=HANG_S, resources=place).execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    assert "720" in last.outputs[0]["data"]["text/plain"]  # 24 scenes, 30 proposals
