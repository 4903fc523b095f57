"""Every reader of files from outside: a good file of each kind, and what reads it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save

from pipeline.recipes.recipe import load
from pipeline.store import manifest as manifests
from pipeline.store import own_hash, part_records
from stages.evaluation.vocabulary import read_categories, read_splits
from stages.models.given_architecture import read_architecture
from stages.models.weights import read_tensors
from stages.proposals.localizers import open_boxes
from stages.proposals.region_dump import DumpWriter
from stages.reviewing.exported_labels import FILE_NAME, read_exported_labels
from stages.selecting.rules_file import read_rules
from stages.sources.caption_corpus import Corpus, corpus_remarks
from stages.sources.concept_groups import read_groups
from stages.sources.names import read_names
from stages.text.templates import read_templates
from tests.stages.reviewing.importing import imported
from tests.stages.reviewing.small_export import write_export
from tests.stages.sources.samples import encoded, ingest, write_images, write_tar

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES: Final = ("a.jpg", "b.jpg")


@dataclass(frozen=True)
class Reader:
    """A kind of file: its name in the folder of a test, a good one, and what reads it there."""

    file: str
    good: bytes
    read: Callable[[Path], object]


def ingest_folder(folder: Path) -> object:
    """All images of a folder."""
    return ingest(folder.parent / "scratch", folder)


def ingest_file(name: str) -> Callable[[Path], object]:
    """What reads one file of a folder as a source."""
    return lambda folder: ingest(folder.parent / "scratch", folder / name)


def boxes(name: str) -> Callable[[Path], object]:
    """What reads all boxes of a file."""

    def read(folder: Path) -> None:
        open_boxes.cache_clear()
        file = open_boxes(folder / name, "")
        assert sum(len(scores) for _, _, scores in file.blocks()) >= 0
        for number, key in enumerate(file.keys):
            assert str(key).encode()
            file.boxes(number)
        assert all(text.encode() for row in file.bad.rows() for text in row if text)

    return read


def captions(name: str) -> Callable[[Path], object]:
    """What reads a file of captions."""

    def read(folder: Path) -> None:
        corpus = Corpus(folder / name)
        corpus_remarks(corpus.inventory(), corpus.survey())
        for record in corpus.records():
            assert record.key.encode()
            assert all(caption.encode() for caption in record.captions)

    return read


def weights(name: str) -> Callable[[Path], object]:
    """What reads the tensors of a file, and their names."""

    def read(folder: Path) -> None:
        for tensor, value in read_tensors(folder / name).items():
            assert tensor.encode()
            assert value.numel() >= 0

    return read


def reviews(folder: Path) -> None:
    """Compare a file of reviews with the labels of an export."""
    exported = folder.parent / "exported"
    if not exported.exists():
        write_export(exported, "cvat")
    rows, said, _ = imported(folder / "reviews", exported)
    assert len(rows) <= 5
    assert " ".join(said).encode()


def manifest(folder: Path) -> None:
    """Read a manifest whose hash of itself is right, whatever it says."""
    place = folder / "images" / f"v1-{'0' * 12}"
    place.mkdir(parents=True, exist_ok=True)
    text = (folder / "manifest.json").read_text()
    (place / manifests.NAME).write_text(own_hash.sealed(text) if '""' in text else text)
    manifests.read(place)


def list_of_parts(folder: Path) -> None:
    """Read a list of one part whose hash is right, whatever it says."""
    content = (folder / part_records.NAME).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    said = part_records.PartList(
        count=1, rows=3, bytes=12, list_bytes=len(content), list_sha256=digest
    )
    for record in part_records.read(folder, said):
        assert json.dumps(record.counts)


def _torch(content: Any, **how: Any) -> bytes:
    out = io.BytesIO()
    torch.save(content, out, **how)
    return out.getvalue()


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _zip(file: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, file.name)
    return out.getvalue()


def _parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


COCO: Final = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 12, "height": 8}],
    "annotations": [
        {
            "image_id": 1,
            "category_id": 3,
            "bbox": [1, 1, 4, 4],
            "area": 16,
            "iscrowd": 0,
            "segmentation": [[1, 1, 5, 1, 5, 5]],
            "caption": "a dog",
        },
        {"image_id": 1, "category_id": 3, "segmentation": {"size": [8, 12], "counts": [3, 4, 89]}},
    ],
    "categories": [{"id": 3, "name": "dog"}],
}
ROWS: Final = [
    {"file_name": "a.jpg", "caption": "a dog", "split": "train"},
    {"file_name": "b.jpg", "captions": ["a cat", "a pet"]},
]
KARPATHY: Final = {
    "images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "a dog"}]}],
    "dataset": "coco",
}
RESULTS: Final = [
    {"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, "category_id": 1},
    {"file_name": "a.jpg", "boxes": [[1, 2, 3, 4]], "scores": [0.5]},
    {"image": {"file_name": "b.jpg", "image_id": 2}, "annotations": [{"bbox": [1, 2, 3, 4]}]},
]
BY_IMAGE: Final = {"a.jpg": [[1, 2, 3, 4, 0.5]], "b.jpg": {"bboxes": [[1, 2, 3, 4]]}}
TASKS: Final = [
    {
        "data": {"image_id": "image/3", "image": "/data/local-files/?d=a/000000000003.png"},
        "annotations": [
            {
                "completed_by": {"id": 1, "email": "ann@example.org"},
                "updated_at": "2026-03-09T22:16:08.728353Z",
                "was_cancelled": False,
                "result": [
                    {
                        "id": "3-0",
                        "type": "rectanglelabels",
                        "image_rotation": 0,
                        "value": {
                            "x": 25,
                            "y": 25,
                            "width": 50,
                            "height": 25,
                            "rotation": 0,
                            "rectanglelabels": ["dog"],
                        },
                    }
                ],
            }
        ],
    }
]
MENDED: Final = {
    "images": [{"id": 1, "file_name": "000000000003.png", "width": 64, "height": 60}],
    "annotations": [
        {
            "image_id": 1,
            "category_id": 3,
            "bbox": [16, 15, 32, 15],
            "iscrowd": 0,
            "attributes": {"region": "0", "rotation": 0.0},
        }
    ],
    "categories": [{"id": 3, "name": "dog"}],
}
PART: Final = {
    "number": 0,
    "rows": 3,
    "bytes": 7,
    "sha256": "0" * 64,
    "recipe": "1" * 64,
    "files": [{"name": "part-00000.h5", "bytes": 5, "sha256": "2" * 64}],
    "dropped": {"unreadable": 1},
    "counts": {"images": {"kept": 3}},
    "facts": ["split"],
}
MANIFEST: Final = {
    "schema_version": 2,
    "artifact": "images",
    "version": 1,
    "fingerprint": "0" * 64,
    "stage": {"name": "ingest", "version": 1, "options": {"limit": None}},
    "inputs": {"images": "images/v1-0123456789ab"},
    "sources": {"source": "3" * 64},
    "parts": {"count": 1, "rows": 3, "bytes": 12, "list_bytes": 9, "list_sha256": "4" * 64},
    "dropped": {"unreadable": 1},
    "notes": {"summary": ["3 images"]},
    "run": {"seconds": 1.5, "created": "2026", "engine": "local", "origins": {"sources": ["a"]}},
    "own_sha256": "",
}
RECIPE: Final = b"""
[defaults]
kind = "a"
name = "label-{kind}"
[sweep]
seed = [0, 1]
[[step]]
run = "ingest"
as = "{name}"
sources = ["photos"]
[[step]]
run = "propose"
grid = true
seed = "{seed}"
"""
RULES: Final = b"""
never = ["photo"]
confusable = [["wolf", "husky"]]
margin = 0.1
[rename]
sofa = "couch"
"""
GROUPS: Final = b"""
[groups]
umbrella = ["parasol", "sun shade"]
"hot dog" = ["frank\\u0066urter"]  # cosine 0.97
"""


def json_readers() -> dict[str, tuple[Any, str, Callable[[Path], object]]]:
    """Of each reader of JSON: a good document, the name of its file, what reads it."""
    return {
        "COCO": (COCO, "annotations/instances_images.json", ingest_folder),
        "COCO's results": (RESULTS, "boxes.json", boxes("boxes.json")),
        "boxes by image": (BY_IMAGE, "boxes.json", boxes("boxes.json")),
        "boxes in COCO": (COCO, "boxes.json", boxes("boxes.json")),
        "boxes of one image": (RESULTS, "of_images/a.json", boxes("of_images")),
        "table": (ROWS, "rows.json", ingest_file("rows.json")),
        "table in a folder": (ROWS, "rows.jsonl", ingest_folder),
        "Karpathy's splits": (KARPATHY, "splits.json", ingest_file("splits.json")),
        "captions": (ROWS, "captions.json", captions("captions.json")),
        "text beside an image": ({"caption": "a dog"}, "a.json", ingest_folder),
        "categories": (["dog", "cat"], "names.json", lambda f: read_categories(f / "names.json")),
        "splits": (
            {"base": ["dog"], "novel": ["cat"]},
            "s.json",
            lambda f: read_splits(f / "s.json"),
        ),
        "architecture": (
            {"architecture": "RN50", "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}},
            "a.json",
            lambda f: read_architecture(str(f / "a.json")),
        ),
        "Label Studio": (TASKS, "reviews", reviews),
        "reviews in COCO": (MENDED, "reviews", reviews),
        "manifest": (MANIFEST, "manifest.json", manifest),
        "list of parts": (PART, part_records.NAME, list_of_parts),
        "list": ({"categories": [{"name": "dog"}]}, "l.json", lambda f: read_names(f / "l.json")),
    }


def byte_readers(folder: Path) -> dict[str, Reader]:
    """Of each reader of other files: a good file and what reads it."""
    image, cell = encoded(), base64.b64encode(encoded())
    members = {"a.jpg": image, "a.txt": b"a dog", "b.jpg": image, "b.json": _json({"caption": "x"})}
    tars = {kind: write_tar(folder / "t", members, f"w:{kind}").read_bytes() for kind in ("", "gz")}
    rows = {"image_id": ["1", "1", "2"], "score": [0.5, 0.25, 0.125]}
    corners = {name: [1.0, 2.0, 3.0] for name in ("x0", "y0")}
    corners |= {name: [4.0, 5.0, 6.0] for name in ("x1", "y1")}
    table = _parquet({"file_name": NAMES, "caption": ["a dog", "a cat"]})
    images = _parquet({"image": [{"bytes": image, "path": "a.jpg"}] * 3, "caption": ["x"] * 3})
    with DumpWriter(folder / "d", "score") as dump:
        dump.append("1", np.ones((3, 4), np.float32), np.ones(3, np.float32))
    state = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2, dtype=torch.float16)}
    bare = {"model": {name: value.numpy() for name, value in state.items()}}
    exported = write_export(folder / "e", "cvat")
    png, webp = encoded(kind="PNG"), encoded(kind="WEBP")
    yaml = b"names: {0: dog}\ntrain: .\n"
    return {
        "tar": Reader("x.tar", tars[""], ingest_file("x.tar")),
        "gzipped tar": Reader("x.tar", tars["gz"], ingest_file("x.tar")),
        "JPEG": Reader("a.jpg", image, ingest_folder),
        "PNG": Reader("a.jpg", png, ingest_folder),
        "WebP": Reader("a.jpg", webp, ingest_folder),
        "CSV": Reader("m.csv", b'image,caption\na.jpg,"a dog"\n', ingest_file("m.csv")),
        "TSV": Reader("m.tsv", b"image\tcaption\na.jpg\ta dog\n", ingest_folder),
        "JSON lines": Reader("m.jsonl", b"\n".join(map(_json, ROWS)), ingest_file("m.jsonl")),
        "Parquet of names": Reader("m.parquet", table, ingest_file("m.parquet")),
        "Parquet of images": Reader("m.parquet", images, ingest_file("m.parquet")),
        "captions in Parquet": Reader("m.parquet", table, captions("m.parquet")),
        "captions in text": Reader("m.tsv", b"a dog\t1\na cat\t2\n", captions("m.tsv")),
        "boxes in Parquet": Reader("b.parquet", _parquet(rows | corners), boxes("b.parquet")),
        "boxes in HDF5": Reader("b.h5", (folder / "d").read_bytes(), boxes("b.h5")),
        "boxes in JSON": Reader("b.json", _json(RESULTS), boxes("b.json")),
        "YOLO": Reader("data.yaml", yaml, ingest_file("data.yaml")),
        "labels of YOLO": Reader("a.txt", b"0 0.5 0.5 0.2 0.2\n", ingest_folder),
        "image TSV": Reader("x.tsv", b"k\t" + cell + b"\nl\t" + cell, ingest_file("x.tsv")),
        "index of a TSV": Reader("x.lineidx", b"0\n", ingest_file("x.tsv")),
        "list": Reader("l.txt", b"1. dog\n2. cat\n", lambda f: read_names(f / "l.txt")),
        "templates": Reader("t.txt", b"a {}.\n", lambda f: read_templates(str(f / "t.txt"))),
        "safetensors": Reader("w.safetensors", save(state), weights("w.safetensors")),
        "archive of torch": Reader("w.pth", _torch(state), weights("w.pth")),
        "old file of torch": Reader(
            "w.pth", _torch(state, _use_new_zipfile_serialization=False), weights("w.pth")
        ),
        "pickle of NumPy": Reader("w.pkl", pickle.dumps(bare), weights("w.pkl")),
        "groups": Reader("g.toml", GROUPS, lambda f: read_groups(f / "g.toml")),
        "CVAT": Reader("reviews", (exported / "annotations.xml").read_bytes(), reviews),
        "CVAT in an archive": Reader("reviews", _zip(exported / "annotations.xml"), reviews),
        "exported labels": Reader(
            FILE_NAME, (exported / FILE_NAME).read_bytes(), read_exported_labels
        ),
        "recipe": Reader("r.toml", RECIPE, lambda f: load(f / "r.toml", {})),
        "rules": Reader("r.toml", RULES, lambda f: read_rules(f / "r.toml")),
    }


def new_folder(folder: Path) -> Path:
    """A folder of two images, and a TSV of one."""
    write_images(folder, NAMES)
    (folder / "x.tsv").write_bytes(b"k\t" + base64.b64encode(encoded()) + b"\n")
    return folder
