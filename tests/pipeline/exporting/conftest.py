"""A store of synthetic scenes with pseudo-labels, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import api
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.exporting.labelled_store import HOSTILE
from tests.pipeline.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def labelled_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes in two splits; the pool has three names, one of them hostile."""
    folder = tmp_path_factory.mktemp("export")
    for split, seed in (("train", 1), ("val 2", 2)):
        write_scenes(folder / "scenes", split, 4, seed)
    names = folder / "names.txt"
    names.write_text(f"dog\n{HOSTILE}\ntree\n")
    data = ROOT / "data" / "demo"
    store = api.Store(folder / "store")
    store.run("ingest", sources=[str(folder / "scenes")])
    store.run("extract-concepts", from_file=names)
    model, weights = data / "teacher_model.json", data / "teacher.safetensors"
    store.run("pretrain", model=str(model), pretrained=str(weights), steps=0)
    store.run("embed-concepts", templates="plain")
    store.run("propose", random=True, regions=6)
    store.run("featurize", resize="192x400", whole_image=False)
    store.run("label", temperature=0.05)
    return folder / "store"


@pytest.fixture
def root(labelled_root: Path) -> Path:
    """The same store, for tests that only read it."""
    return labelled_root
