"""Write: the drawn world as files, in the layouts that real collections come in.

Web pictures become WebDataset tars as img2dataset writes them, scenes a COCO
folder. The same arguments give the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from PIL import Image

from schemas.errors import OptionError
from stages.synthetic.categories import BASE, CATEGORIES, NOVEL
from stages.synthetic.world import scene, web_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stages.synthetic.world import SyntheticImage

    Progress = Callable[[int, int], None]

JPEG_QUALITY = 92


def write_web(
    out: Path,
    count: int,
    seed: int,
    shard_size: int = 1000,
    *,
    size: int = 96,
    progress: Progress | None = None,
) -> list[Path]:
    """Write web pictures 0 to `count` - 1 of a seed as tars; the paths of the tars.

    Each picture is KEY.jpg, KEY.txt (its first caption) and KEY.json, where KEY
    is five digits of the tar and four of the place in it.

    Args:
        out: Folder for 00000.tar and on; made if missing.
        count: Pictures altogether.
        seed: Seed of the pictures.
        shard_size: Pictures in a tar, at most 10,000.
        size: Side of a picture in pixels.
        progress: Called after each picture with the number done and `count`.

    Raises:
        OptionError: A tar of `shard_size` pictures cannot be numbered.
    """
    if not 1 <= shard_size <= 10_000:
        raise OptionError(
            f"write_web: shard_size is {shard_size}; a tar numbers 1 to 10,000 pictures, "
            "so give a value in that range."
        )
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for shard, start in enumerate(range(0, count, shard_size)):
        path = out / f"{shard:05d}.tar"
        unfinished = path.with_suffix(".tar.tmp")
        with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in range(start, min(start + shard_size, count)):
                key = f"{shard:05d}{index - start:04d}"
                _add_web(tar, key, web_picture(seed, index, size), f"drawn://web/{seed}/{index}")
                if progress is not None:
                    progress(index + 1, count)
        unfinished.replace(path)
        paths.append(path)
    return paths


def write_scenes(
    out: Path,
    split: str,
    count: int,
    seed: int,
    *,
    size: tuple[int, int] = (320, 256),
    progress: Progress | None = None,
) -> Path:
    """Write scenes 0 to `count` - 1 of a seed as one split of a COCO folder; the folder.

    Writes images/SPLIT/NNNNNN.jpg, annotations/captions_SPLIT.json,
    annotations/instances_SPLIT.json and splits.json (base and novel names); and boxes_SPLIT.json,
    what a localizer that makes no mistake would find, and categories.txt, a name a line.
    Splits that must differ need different seeds. Boxes are x, y, width, height
    and `area` is that of the box, as there is no outline.

    Args:
        out: The COCO folder; made if missing, other splits in it are kept.
        split: Name of the split, "train" for example.
        count: Scenes altogether.
        seed: Seed of the scenes.
        size: Width and height in pixels.
        progress: Called after each scene with the number done and `count`.
    """
    folder = out / "images" / split
    folder.mkdir(parents=True, exist_ok=True)
    (out / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    captions: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    for index in range(count):
        picture = scene(seed, index, size)
        name = f"{index:06d}.jpg"
        (folder / name).write_bytes(_jpeg(picture))
        images.append({"id": index, "file_name": name, "width": size[0], "height": size[1]})
        captions += _captions(picture, index, len(captions))
        instances += _instances(picture, index, len(instances))
        if progress is not None:
            progress(index + 1, count)
    common = {"info": {"description": "drawn scenes", "seed": seed}, "images": images}
    _write_json(out / "annotations" / f"captions_{split}.json", {**common, "annotations": captions})
    _write_json(
        out / "annotations" / f"instances_{split}.json",
        {**common, "annotations": instances, "categories": _categories()},
    )
    _write_json(out / "splits.json", {"base": list(BASE), "novel": list(NOVEL)})
    found = [{k: one[k] for k in ("image_id", "bbox")} | {"score": 1.0} for one in instances]
    _write_json(out / f"boxes_{split}.json", found)
    (out / "categories.txt").write_text("".join(f"{name}\n" for name in (*BASE, *NOVEL)))
    return out


def _add_web(tar: tarfile.TarFile, key: str, picture: SyntheticImage, url: str) -> None:
    height, width = picture.image.shape[:2]
    caption = picture.captions[0]
    record = {
        "caption": caption,
        "url": url,
        "key": key,
        "status": "success",
        "error_message": None,
        "width": width,
        "height": height,
        "original_width": width,
        "original_height": height,
    }
    members = (
        ("jpg", _jpeg(picture)),
        ("json", json.dumps(record).encode()),
        ("txt", caption.encode()),
    )
    for suffix, content in members:
        info = tarfile.TarInfo(f"{key}.{suffix}")  # time, owner and mode are constants by default
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def _jpeg(picture: SyntheticImage) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture.image).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _captions(picture: SyntheticImage, image_id: int, start: int) -> list[dict[str, Any]]:
    return [
        {"id": start + i + 1, "image_id": image_id, "caption": caption}
        for i, caption in enumerate(picture.captions)
    ]


def _instances(picture: SyntheticImage, image_id: int, start: int) -> list[dict[str, Any]]:
    rows = []
    for i, (box, name) in enumerate(zip(picture.boxes, picture.categories, strict=True)):
        x0, y0, x1, y1 = (float(edge) for edge in box)
        rows.append(
            {
                "id": start + i + 1,
                "image_id": image_id,
                "category_id": _IDS[name],
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
            }
        )
    return rows


_IDS = {category.name: number for number, category in enumerate(CATEGORIES, start=1)}


def _categories() -> Sequence[dict[str, Any]]:
    return [{"id": _IDS[c.name], "name": c.name, "supercategory": c.theme} for c in CATEGORIES]


def _write_json(path: Path, content: Any) -> None:
    unfinished = path.with_suffix(".json.tmp")
    unfinished.write_text(json.dumps(content))
    unfinished.replace(path)
