"""What a YOLO data set says of itself: names of its classes, and where the images of a split are.

`data.yaml` says both. Without one, `classes.txt` or `obj.names` may say the names, one a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from schemas.errors import SourceError
from stages.sources.file_kinds import is_label_text, read_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_USUAL: Final = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_NAME_LISTS: Final = ("classes.txt", "obj.names", "_darknet.labels")
_NOT_SPLITS: Final = frozenset(
    ("names", "nc", "path", "download", "channels", "kpt_shape", "flip_idx", "roboflow")
)
_MOST_BRACKETS: Final = 1000  # PyYAML needs time that grows as the square of their nesting
_MOST_BYTES: Final = 4 << 20
_MOST_SAMPLED: Final = 20


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """A YOLO data set as its own file describes it.

    Attributes:
        path: The file.
        names: Of classes, by number.
        splits: Folders or lists of images, as they are written, by split.
        base: What stands before them.
        has_keypoints: Whether labels hold keypoints after each box.
    """

    path: str
    names: Mapping[int, str]
    splits: Mapping[str, tuple[str, ...]]
    base: str = ""
    has_keypoints: bool = False

    @property
    def folder(self) -> Path:
        """The folder in which the file is."""
        return Path(self.path).parent


def find_config(root: str) -> YoloConfig | None:
    """What describes the YOLO data set in a folder, or in one of its subfolders; None if nothing.

    Raises:
        SourceError: If several files could.
    """
    for pattern in ("*", "*/*"):
        paths = [path for path in sorted(Path(root).glob(pattern)) if _is_visible(path, root)]
        configs = [config for path in paths if (config := _read_yaml(path))]
        usual = [config for config in configs if Path(config.path).name.lower() in _USUAL]
        chosen = usual or configs or [config for path in paths if (config := _read_list(path))]
        if len(chosen) > 1:
            names = ", ".join(str(Path(config.path).relative_to(root)) for config in chosen[:10])
            raise SourceError(f"{root} has several descriptions of YOLO data ({names}): name one")
        if chosen:
            return chosen[0]
    return None


def read_config(path: str) -> YoloConfig:
    """The description in a file that the user named.

    Raises:
        SourceError: If it is none.
    """
    config = _read_yaml(Path(path)) or _read_list(Path(path))
    if config is None:
        raise SourceError(
            f"{path} does not describe a YOLO data set: "
            "it needs names of classes, and the folders of their images"
        )
    return config


def is_config_name(name: str) -> bool:
    """Whether a file may be the description of a YOLO data set, by its name."""
    return name.lower().endswith((".yaml", ".yml", ".names")) or Path(name).name in _NAME_LISTS


def _is_visible(path: Path, root: str) -> bool:
    parts = path.relative_to(root).parts
    return not any(part.startswith(".") for part in parts) and path.is_file()


def _read_yaml(path: Path) -> YoloConfig | None:
    if path.suffix.lower() not in (".yaml", ".yml") or path.stat().st_size > _MOST_BYTES:
        return None
    try:
        payload = path.read_bytes()
        if payload.count(b"[") + payload.count(b"{") > _MOST_BRACKETS:
            return None
        # its scalars are all texts, so that a class may be called "no", and nothing is executed
        content = yaml.load(payload, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError, OSError):
        return None
    if not isinstance(content, dict):
        return None
    names = _class_names(content.get("names"))
    splits = {
        key: found
        for key, value in content.items()
        if isinstance(key, str) and key not in _NOT_SPLITS and (found := _places(value))
    }
    if not names or not (splits or path.name.lower() in _USUAL):
        return None
    base = content.get("path")
    return YoloConfig(
        str(path), names, splits, base if isinstance(base, str) else "", "kpt_shape" in content
    )


def _read_list(path: Path) -> YoloConfig | None:
    """Names from a list of classes, if there are labels near it."""
    if path.name not in _NAME_LISTS or path.stat().st_size > _MOST_BYTES:
        return None
    labels = (
        p
        for pattern in ("*.txt", "*/*.txt", "labels/*/*.txt", "*/labels/*.txt")
        for p in sorted(path.parent.glob(pattern))[:_MOST_SAMPLED]
    )
    if not any(is_label_text(read_head(p).decode(errors="replace")) for p in labels):
        return None
    lines = path.read_bytes().decode("utf-8-sig", errors="replace").splitlines()
    return YoloConfig(str(path), _class_names([line for line in lines if line.strip()]), {})


def _class_names(value: Any) -> dict[int, str]:
    """Names by number, of a list or a mapping; those that are no text are left out."""
    pairs: Iterable[tuple[int, Any]] = enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, dict):
        pairs = ((int(k), v) for k, v in value.items() if isinstance(k, str) and k.isdecimal())
    return {
        number: name.strip() for number, name in pairs if isinstance(name, str) and name.strip()
    }


def _places(value: Any) -> tuple[str, ...]:
    places = value if isinstance(value, list) else [value]
    return tuple(place for place in places if isinstance(place, str) and place.strip())
