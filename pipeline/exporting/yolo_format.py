"""Labelled images as a YOLO folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.exporting.label_writer import LabelWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage

_RESERVED_KEYS: Final = {"names", "nc", "path", "download", "channels", "kpt_shape", "flip_idx"}


class YoloFormat(LabelWriter):
    """images/SPLIT, labels/SPLIT/*.txt of class, centre and size as fractions, and data.yaml.

    A line of labels has no column for a score, and trainers read a sixth number as part of an
    outline. So scores are in scores/SPLIT/*.txt, line by line.
    """

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._splits: dict[str, None] = {}

    def add(self, image: LabelledImage) -> None:
        """See `LabelWriter.add`."""
        self._splits.setdefault(image.split)
        image.write(self.folder / "images" / image.split / image.file_name, self.images)
        width, height = image.row["width"], image.row["height"]
        lines = []
        for label in image.labels:
            x = (label["x0"] + label["x1"]) / 2 / width
            y = (label["y0"] + label["y1"]) / 2 / height
            w, h = (label["x1"] - label["x0"]) / width, (label["y1"] - label["y0"]) / height
            lines.append(f"{label['category']} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
        scores = [f"{label['score']:.6f}\n" for label in image.labels]
        for kind, content in (("labels", lines), ("scores", scores)):
            path = self.folder / kind / image.split / f"{image.number:012d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(content))

    def close(self) -> None:
        """See `LabelWriter.close`.

        data.yaml has no key "path", so trainers resolve the folders relative to data.yaml and not
        to their working directory.
        """
        splits = {_split_key(split): f"images/{split}" for split in self._splits}
        folders = dict(splits)
        folders.setdefault("train", next(iter(splits.values()), "images"))
        folders.setdefault("val", folders["train"])
        lines = [
            f"{_yaml_string(key)}: {_yaml_string(folder)}\n" for key, folder in folders.items()
        ]
        lines.append("names:\n")
        lines += [f"  {index}: {_yaml_string(name)}\n" for index, name in enumerate(self.names)]
        (self.folder / "data.yaml").write_text("".join(lines))


def _split_key(split: str) -> str:
    """The key of a split in data.yaml; a reserved key gets an underscore."""
    return f"{split}_" if split in _RESERVED_KEYS else split


def _yaml_string(text: str) -> str:
    """A text as a quoted YAML string: one line of ASCII, whatever the text holds."""
    characters = (c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(characters)}"'
