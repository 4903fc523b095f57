"""Writers of synthetic data as files, in the layouts of real datasets.

Web images become WebDataset tars as img2dataset writes them, scenes and single pictures a COCO
folder. The same arguments give the same bytes.
"""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from schemas.errors import OptionError
from stages.synthetic.categories import BASE, CATEGORIES, NOVEL
from stages.synthetic.rendering import render_scene, render_web_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from stages.synthetic.rendering import SyntheticImage

    Progress = Callable[[int, int], None]

JPEG_QUALITY = 92


def write_web_images(
    out: Path,
    count: int,
    seed: int,
    shard_size: int = 1000,
    *,
    size: int = 96,
    progress: Progress | None = None,
) -> list[Path]:
    """Write web images 0 to `count` - 1 of a seed as tars; return the paths of the tars.

    Each image is KEY.jpg, KEY.txt (its first caption) and KEY.json, where KEY
    is five digits for the tar and four for the position in it.

    Args:
        out: Folder for 00000.tar and on; made if missing.
        count: Number of images.
        seed: Seed of the images.
        shard_size: Images in a tar, at most 10,000.
        size: Side of an image in pixels.
        progress: Called after each image with the number done and `count`.

    Raises:
        OptionError: If four digits cannot number `shard_size` images.
    """
    if not 1 <= shard_size <= 10_000:
        raise OptionError(
            f"write_web_images: shard_size is {shard_size}; a tar holds 1 to 10,000 images, "
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
                _add_web_image(
                    tar, key, render_web_image(seed, index, size), f"drawn://web/{seed}/{index}"
                )
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
    """Write scenes 0 to `count` - 1 of a seed as one split of a COCO folder; return the folder.

    Writes images/SPLIT/NNNNNN.jpg, annotations/captions_SPLIT.json,
    annotations/instances_SPLIT.json and splits.json (base and novel names);
    also boxes_SPLIT.json, the ground-truth boxes as the output of a perfect localizer, and
    categories.txt, one name per line. Different splits need different seeds. Boxes are x, y,
    width, height, and `area` is that of the box, because there are no masks.

    Args:
        out: The COCO folder; made if missing, other splits in it are kept.
        split: Name of the split, "train" for example.
        count: Number of scenes.
        seed: Seed of the scenes.
        size: Width and height in pixels.
        progress: Called after each scene with the number done and `count`.
    """
    scenes = (render_scene(seed, index, size) for index in range(count))
    return _write_coco(out, split, (count, seed), scenes, progress)


def write_pictures(
    out: Path,
    split: str,
    count: int,
    seed: int,
    *,
    size: int = 96,
    progress: Progress | None = None,
) -> Path:
    """Write web images of one object as one split of a COCO folder; return the folder.

    The box of each is the whole picture, so that to name the box is to name the picture: the web
    images of a seed that show two objects are left out. Files and arguments are those of
    `write_scenes`; `size` is the side of a picture in pixels.
    """
    rendered = (render_web_image(seed, index, size) for index in itertools.count())
    single = (picture for picture in rendered if len(picture.categories) == 1)
    whole = np.array([[0, 0, size, size]], np.float32)
    pictures = (replace(p, boxes=whole) for p in itertools.islice(single, count))
    return _write_coco(out, split, (count, seed), pictures, progress)


def _write_coco(
    out: Path,
    split: str,
    of: tuple[int, int],
    pictures: Iterable[SyntheticImage],
    progress: Progress | None,
) -> Path:
    """Write one split of a COCO folder; `of` is the number and the seed of its images."""
    count, seed = of
    folder = out / "images" / split
    folder.mkdir(parents=True, exist_ok=True)
    (out / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    captions: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    for index, rendered in enumerate(pictures):
        name = f"{index:06d}.jpg"
        (folder / name).write_bytes(_encode_jpeg(rendered))
        height, width = rendered.image.shape[:2]
        images.append({"id": index, "file_name": name, "width": width, "height": height})
        captions += _caption_rows(rendered, index, len(captions))
        instances += _instance_rows(rendered, index, len(instances))
        if progress is not None:
            progress(index + 1, count)
    common = {"info": {"description": "drawn scenes", "seed": seed}, "images": images}
    _write_json(out / "annotations" / f"captions_{split}.json", {**common, "annotations": captions})
    _write_json(
        out / "annotations" / f"instances_{split}.json",
        {**common, "annotations": instances, "categories": _category_rows()},
    )
    _write_json(out / "splits.json", {"base": list(BASE), "novel": list(NOVEL)})
    boxes = [
        {"image_id": instance["image_id"], "bbox": instance["bbox"], "score": 1.0}
        for instance in instances
    ]
    _write_json(out / f"boxes_{split}.json", boxes)
    (out / "categories.txt").write_text("".join(f"{name}\n" for name in (*BASE, *NOVEL)))
    return out


def _add_web_image(tar: tarfile.TarFile, key: str, rendered: SyntheticImage, url: str) -> None:
    height, width = rendered.image.shape[:2]
    caption = rendered.captions[0]
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
        ("jpg", _encode_jpeg(rendered)),
        ("json", json.dumps(record).encode()),
        ("txt", caption.encode()),
    )
    for suffix, content in members:
        info = tarfile.TarInfo(f"{key}.{suffix}")  # time, owner and mode are constants by default
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def _encode_jpeg(rendered: SyntheticImage) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rendered.image).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _caption_rows(rendered: SyntheticImage, image_id: int, start: int) -> list[dict[str, Any]]:
    return [
        {"id": start + i + 1, "image_id": image_id, "caption": caption}
        for i, caption in enumerate(rendered.captions)
    ]


def _instance_rows(rendered: SyntheticImage, image_id: int, start: int) -> list[dict[str, Any]]:
    rows = []
    for i, (box, name) in enumerate(zip(rendered.boxes, rendered.categories, strict=True)):
        x0, y0, x1, y1 = (float(edge) for edge in box)
        rows.append(
            {
                "id": start + i + 1,
                "image_id": image_id,
                "category_id": _CATEGORY_IDS[name],
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
            }
        )
    return rows


_CATEGORY_IDS = {category.name: number for number, category in enumerate(CATEGORIES, start=1)}


def _category_rows() -> Sequence[dict[str, Any]]:
    return [
        {"id": _CATEGORY_IDS[c.name], "name": c.name, "supercategory": c.theme} for c in CATEGORIES
    ]


def _write_json(path: Path, content: Any) -> None:
    unfinished = path.with_suffix(".json.tmp")
    unfinished.write_text(json.dumps(content))
    unfinished.replace(path)
