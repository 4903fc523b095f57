"""Labelled images as YOLO folders, WebDataset tars, and Parquet."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.exporting.writer import Writer, xywh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled import LabelledImage

_MEANT: Final = {"names", "nc", "path", "download", "channels", "kpt_shape", "flip_idx"}
_SHARD: Final = 1000  # images of a tar


class YoloFormat(Writer):
    """images/SPLIT, labels/SPLIT/*.txt of class, centre and size as shares, and data.yaml.

    A line of labels has no room for a score, trainers take a sixth number for an outline: scores
    lie in scores/SPLIT/*.txt, line by line.
    """

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._splits: dict[str, None] = {}

    def add(self, one: LabelledImage) -> None:
        """See `Writer.add`."""
        self._splits.setdefault(one.split)
        one.write(self.folder / "images" / one.split / one.file_name, self.images)
        wide, high = one.row["width"], one.row["height"]
        lines = []
        for box in one.labels:
            x, y = (box["x0"] + box["x1"]) / 2 / wide, (box["y0"] + box["y1"]) / 2 / high
            w, h = (box["x1"] - box["x0"]) / wide, (box["y1"] - box["y0"]) / high
            lines.append(f"{box['category']} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
        scores = [f"{box['score']:.6f}\n" for box in one.labels]
        for kind, content in (("labels", lines), ("scores", scores)):
            path = self.folder / kind / one.split / f"{one.number:012d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(content))

    def close(self) -> None:
        """See `Writer.close`.

        Without "path", trainers look from the folder of data.yaml and not from where they were
        started.
        """
        splits = {_key(split): f"images/{split}" for split in self._splits}
        told = dict(splits)
        told.setdefault("train", next(iter(splits.values()), "images"))
        told.setdefault("val", told["train"])
        lines = [f"{_yaml(key)}: {_yaml(value)}\n" for key, value in told.items()]
        lines.append("names:\n")
        lines += [f"  {at}: {_yaml(name)}\n" for at, name in enumerate(self.names)]
        (self.folder / "data.yaml").write_text("".join(lines))


def _key(split: str) -> str:
    """A split as a key of data.yaml, where some words mean other things."""
    return f"{split}_" if split in _MEANT else split


def _yaml(text: str) -> str:
    """A text in quotes as YAML has it: whatever a name holds, it is ASCII on one line."""
    signs = (
        sign if " " <= sign <= "~" and sign not in '"\\' else f"\\U{ord(sign):08x}" for sign in text
    )
    return f'"{"".join(signs)}"'


class WebDatasetFormat(Writer):
    """SPLIT-NUMBER.tar of image, caption (.txt) and labels (.json); pixels are always copied."""

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._counts: Counter[str] = Counter()
        self._tars: dict[str, tarfile.TarFile] = {}

    def add(self, one: LabelledImage) -> None:
        """See `Writer.add`."""
        tar = self._tar(one.split)
        labels = [
            {"category": self.names[box["category"]], "score": box["score"], "bbox": xywh(box)}
            for box in one.labels
        ]
        about = {name: one.row[name] for name in ("image_id", "split", "width", "height")}
        content = json.dumps(
            {**about, "captions": one.row["captions"], "labels": labels}, ensure_ascii=False
        )
        caption = next(iter(one.row["captions"]), "")
        _member(tar, one.file_name, one.encoded())
        _member(tar, f"{one.number:012d}.txt", caption.encode())
        _member(tar, f"{one.number:012d}.json", content.encode())

    def close(self) -> None:
        """See `Writer.close`."""
        for tar in self._tars.values():
            tar.close()

    def _tar(self, split: str) -> tarfile.TarFile:
        """The shard that the next image of a split goes into."""
        shard, place = divmod(self._counts[split], _SHARD)
        if place == 0:
            if shard:
                self._tars[split].close()
            path = self.folder / f"{split}-{shard:06d}.tar"
            self._tars[split] = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self._counts[split] += 1
        return self._tars[split]


class ParquetFormat(Writer):
    """labels.parquet, a row a label, and categories.parquet."""

    SCHEMA: Final = pa.schema(
        [
            *((name, pa.string()) for name in ("image_id", "split", "file_name", "category")),
            *((name, pa.int64()) for name in ("image", "region", "category_id", "width", "height")),
            *((name, pa.float32()) for name in ("score", "x0", "y0", "x1", "y1")),
        ]
    )

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._writer = pq.ParquetWriter(folder / "labels.parquet", self.SCHEMA, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def add(self, one: LabelledImage) -> None:
        """See `Writer.add`."""
        one.write(self.folder / "images" / one.split / one.file_name, self.images)
        about = {name: one.row[name] for name in ("image_id", "split", "width", "height")}
        for label in one.labels:
            place = {key: label[key] for key in ("region", "score", "x0", "y0", "x1", "y1")}
            named = {
                "category": self.names[label["category"]],
                "category_id": label["category"] + 1,
            }
            image = {"image": one.number, "file_name": f"{one.split}/{one.file_name}"}
            self._waiting.append({**about, **image, **named, **place})
        if len(self._waiting) > 50_000:
            self._flush()

    def close(self) -> None:
        """See `Writer.close`."""
        self._flush()
        self._writer.close()
        ids = list(range(1, len(self.names) + 1))
        rows = pa.table({"category_id": ids, "category": list(self.names)})
        pq.write_table(rows, self.folder / "categories.parquet")

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, self.SCHEMA))
            self._waiting = []


def _member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # time and owner are constants by default
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
