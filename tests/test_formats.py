"""Every example of docs/formats.md is read, and gives what the page says."""

from __future__ import annotations

import base64
import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.artifact import stream
from stages.extract_concepts import ExtractConcepts
from stages.ingest import Ingest
from stages.propose import Propose
from stages.sources.names import read_names
from tests.pipeline.helpers import make
from tests.stages.sources.samples import encoded

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
SUFFIXES = (".jpg", ".png", ".webp")


def examples(heading: str) -> list[Any]:
    """Form, lines of the example, and what it gives, of the first table under a heading."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(heading))
    rows = re.findall(r"^\| (.+?) \| (`.+`) \| (.+?) \|$", text, re.MULTILINE)
    return [pytest.param(re.findall(r"`(.+?)`(?:<br>|$)", e), g, id=form) for form, e, g in rows]


def write_example(lines: list[str], folder: Path) -> Path:
    """Make the files of an example; the one at the top."""
    files: dict[str, str] = {}
    for line in lines:
        name, _, text = line.replace("\\|", "|").partition(": ")
        files[name] = files.get(name, "") + text + "\n"
    for seed, (name, text) in enumerate(files.items()):
        if name.endswith(SUFFIXES):
            kind = Path(name).suffix[1:].replace("jpg", "jpeg")
            content = encoded(seed, (100, 80), kind)
        else:
            image = base64.b64encode(encoded(seed, (100, 80))).decode()
            content = text.replace("⇥", "\t").replace("BASE64", image).encode()
        place = folder / name
        if ".tar/" in name:
            tar, _, member = name.partition("/")
            add_to_tar(folder / tar, member, content)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    return folder / lines[0].partition(": ")[0].partition("/")[0]


def add_to_tar(path: Path, member: str, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def numbers(gives: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", gives)]


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "gives"), examples("Images with captions"))
def test_a_source_gives_its_images(lines: list[str], gives: str, tmp_path: Path) -> None:
    write_example(lines, tmp_path / "data")
    artifact = make(Ingest(sources=(str(tmp_path / "data"),)), tmp_path / "store")
    rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
    captions, boxes = (sum(len(row[c]) for row in rows) for c in ("captions", "objects"))
    assert [len(rows), captions, boxes] == numbers(gives)
    assert artifact.manifest.dropped == {}


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "gives"), examples("Captions without images"))
def test_a_corpus_gives_its_captions(lines: list[str], gives: str, tmp_path: Path) -> None:
    corpus = write_example(lines, tmp_path)
    stage = ExtractConcepts(captions=corpus, min_frequency=1)
    notes = make(stage, tmp_path / "store").manifest.notes
    assert notes["summary"][0].startswith(f"{numbers(gives)[0]} caption")


@pytest.mark.parametrize(("lines", "gives"), examples("Lists of names"))
def test_a_list_gives_its_names(lines: list[str], gives: str, tmp_path: Path) -> None:
    assert len(read_names(write_example(lines, tmp_path))) == numbers(gives)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "gives"), examples("Boxes of other localizers"))
def test_a_localizer_gives_its_boxes(lines: list[str], gives: str, tmp_path: Path) -> None:
    write_example(["a.jpg", "b.jpg"], tmp_path / "src")
    boxes = write_example(lines, tmp_path)
    store = tmp_path / "store"
    make(Ingest(sources=(str(tmp_path / "src"),)), store)
    artifact = make(Propose(from_file=boxes, device="cpu"), store)
    rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
    assert len({row["image_id"] for row in rows}) == numbers(gives)[0]


def test_every_form_has_an_example() -> None:
    headings = ("Images with", "Captions without", "Lists of", "Boxes of")
    assert [len(examples(heading)) for heading in headings] == [17, 7, 6, 9]
