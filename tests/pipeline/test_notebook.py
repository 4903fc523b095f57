"""The notebook of the documentation does what it says."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

from tests.pipeline.helpers import ROOT


def test_the_notebook_runs_to_its_end() -> None:
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "commit it without its outputs"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}}).execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    assert "720" in last.outputs[0]["data"]["text/plain"]  # 24 scenes, 30 proposals
