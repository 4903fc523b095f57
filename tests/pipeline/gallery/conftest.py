"""Stores that the tests of the gallery share, and a gallery that a browser can reach."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.server import make_app
from stages.synthetic.dataset_writers import write_scenes
from tests.pipeline.gallery.browser import CHROMIUM, Browser
from tests.pipeline.helpers import make_all
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.store.artifact import Artifact

HOST = "localhost:1"
HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script> a dog & "cat"'


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of synthetic scenes made by the real stages; one caption contains a script.

    It has pseudo-labels of the teacher among all concepts and among those of the captions, and
    pseudo-labels of a student that was trained for two steps; both models are evaluated.
    """
    from pipeline import api
    from pipeline.demo import weights_folder

    folder = tmp_path_factory.mktemp("gallery")
    write_scenes(folder / "scenes", "scenes", 6, 3)
    captions = folder / "scenes" / "annotations" / "captions_scenes.json"
    content = json.loads(captions.read_text())
    content["annotations"][0]["caption"] = HOSTILE
    captions.write_text(json.dumps(content))
    store, data = api.Store(folder / "store"), weights_folder()
    images = store.run("ingest", sources=[str(folder / "scenes")])
    store.run("extract-concepts", min_frequency=1)
    files = {"model": "teacher_model.json", "pretrained": "teacher.safetensors"}
    options: dict[str, Any] = {name: str(data / file) for name, file in files.items()}
    teacher = store.run("pretrain", steps=0, **options)
    embeddings = store.run("embed-concepts", templates="plain")
    proposals = store.run("propose", random=True, regions=12)
    small: dict[str, Any] = {"resize": "192x400"}
    features = store.run("featurize", {"teacher": teacher}, whole_image=False, **small)
    store.run("label", {"features": features}, temperature=0.02, among="captions")
    labels = store.run("label", {"features": features}, temperature=0.02)
    quick: dict[str, Any] = {
        "steps": 2,
        "log_every": 1,
        "images_per_batch": 2,
        "resize": ["192x400"],
    }
    student = store.run("train", {"pseudo_labels": labels}, learning_rate=0.05, **quick)
    student_features = store.run(
        "featurize", {"teacher": student, "proposals": proposals}, whole_image=False, **small
    )
    store.run("label", {"features": student_features, "embeddings": embeddings}, temperature=0.02)
    for model in (student, teacher):
        inputs = {"images": images, "model": model}
        store.run("evaluate", inputs, templates="plain", pictures=False, **small)
    store.run("label", {"features": features}, temperature=0.02)  # the newest again
    return folder / "store"


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """Artifacts of a store made by the toy stages, by table; tests must not add to it."""
    return make_all(tmp_path_factory.mktemp("toys") / "store", count=20)


@pytest.fixture
def toy_pool(toys: dict[str, Artifact]) -> ConnectionPool:
    return ConnectionPool(toys["images"].root)


@pytest.fixture(scope="session")
def client(root: Path) -> Iterator[TestClient]:
    """A client without a browser."""
    with TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}") as client:
        yield client


@pytest.fixture(scope="session")
def address(root: Path) -> Iterator[str]:
    """A gallery that a browser can reach."""
    with served(root) as address:
        yield address


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of a gallery of a store, while it runs."""
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = make_app(root, [f"127.0.0.1:{port}"])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until(lambda: server.started, "the gallery never opened")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each opens its own page."""
    if CHROMIUM is None:
        missing = "no Chromium on this machine: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    browser = Browser()
    yield browser
    browser.close()
