"""How many planted duplicates `rc duplicates` finds, by kind, and how many it finds where none is.

    python -m benchmarks.duplicates --photographs ../shared/data/coco_subset/images

Of some images each is changed in every way, and the changed ones are compared with the originals,
as are other images of the same world. Beside it stands a perceptual hash alone: 64 bits, of which
at most ten differ, the default of other tools. Worlds are synthetic scenes, photographs, and
synthetic web images: one drawn thing on a plain ground, of few kinds, which is as hard as it gets.
Thresholds were chosen on seed 77; none of the seeds here is that.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from stages import blas
from stages.near_duplicates.grey_pictures import grey_picture
from stages.near_duplicates.image_set import ComparedImage, ImageSet
from stages.near_duplicates.spectra import is_plain
from stages.seeds import generator
from stages.synthetic.rendering import render_scene, render_web_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Named = list[tuple[str, Image.Image]]
    Change = Callable[[Image.Image, np.random.Generator], Image.Image]

HASH_BITS = 10  # of 64 that may differ
QUALITY = 92  # of a JPEG, unless it is what is changed


def resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A third to two thirds of the size."""
    share = rng.uniform(1 / 3, 2 / 3)
    return image.resize((max(2, int(image.width * share)), max(2, int(image.height * share))))


def recompressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """As JPEG of quality 20 to 50."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(20, 51)))
    return Image.open(file).convert("RGB")


def cropped(image: Image.Image, rng: np.random.Generator, share: float = 0.9) -> Image.Image:
    """A part of 90 per cent of both sides, anywhere."""
    width, height = round(image.width * share), round(image.height * share)
    x = int(rng.integers(image.width - width + 1))
    y = int(rng.integers(image.height - height + 1))
    return image.crop((x, y, x + width, y + height))


def mirrored(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Left and right exchanged."""
    return ImageOps.mirror(image)


def brighter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brighter by 40 per cent; what is white already is cut off."""
    return ImageEnhance.Brightness(image).enhance(1.4)


def darker(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Darker by 40 per cent."""
    return ImageEnhance.Brightness(image).enhance(0.6)


def everything(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cropped, mirrored, resized, darker and recompressed."""
    for change in (cropped, mirrored, resized, darker, recompressed):
        image = change(image, rng)
    return image


def cropped_more(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part of 80 per cent of both sides, anywhere."""
    return cropped(image, rng, 0.8)


def turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turned by 5 degrees."""
    return image.rotate(5, resample=Image.Resampling.BICUBIC)


CHANGES: dict[str, Change] = {
    "resized": resized,
    "recompressed": recompressed,
    "cropped to 90 %": cropped,
    "mirrored": mirrored,
    "brighter": brighter,
    "darker": darker,
    "all of these": everything,
    "cropped to 80 %, not promised": cropped_more,
    "turned by 5°, not promised": turned,
}


@dataclass
class Found:
    """What was found of one kind of image: looked up, with their original, with another one."""

    images: int = 0
    right: int = 0
    wrong: list[tuple[str, str, float]] = field(default_factory=list)
    hashed_right: int = 0
    hashed_wrong: int = 0


def encoded(image: Image.Image, quality: int = QUALITY) -> bytes:
    """A JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def as_compared(name: str, content: bytes) -> ComparedImage:
    """An image as the stage compares it."""
    return ComparedImage(name, hashlib.sha256(content).hexdigest(), grey_picture(content, 1))


def perceptual_hash(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """64 bits: which of the 8 by 8 lowest frequencies are above their median, as pHash has them."""
    side = 32
    small = np.asarray(Image.fromarray(picture).resize((side, side)), np.float64)
    waves = np.cos(np.pi * np.arange(8)[:, None] * (np.arange(side) + 0.5) / side)
    frequencies = (waves @ small @ waves.T).ravel()
    return np.asarray(frequencies > np.median(frequencies[1:]))


def look_up(originals: Named, others: Named, seed: int) -> dict[str, Found]:
    """What is found of every kind of change of the originals, and of images that are unrelated."""
    set_ = ImageSet(as_compared(name, encoded(image)) for name, image in originals)
    hashes = [perceptual_hash(grey_picture(encoded(image), 1)) for _, image in originals]
    names = [name for name, _ in originals]
    changed = {
        kind: [
            (name, change(image, generator(seed, kind, name)).convert("RGB"))
            for name, image in originals
        ]
        for kind, change in CHANGES.items()
    }
    results = {}
    for kind, images in {**changed, "unrelated": list(others)}.items():
        found = results[kind] = Found(len(images))
        compared = [as_compared(name, encoded(image)) for name, image in images]
        for image, duplicates in zip(compared, set_.duplicates(compared, 100), strict=True):
            listed = {one.image_id: one.agreement.similarity for one in duplicates.listed}
            found.right += image.image_id in listed
            listed.pop(image.image_id, None)
            found.wrong += [(image.image_id, other, score) for other, score in listed.items()]
            if image.picture is None or is_plain(image.picture[None])[0]:
                continue
            own = perceptual_hash(image.picture)
            near = {n for n, h in zip(names, hashes, strict=True) if (own ^ h).sum() <= HASH_BITS}
            found.hashed_right += image.image_id in near
            found.hashed_wrong += len(near - {image.image_id})
    return results


def scenes(seed: int, count: int) -> Named:
    """Synthetic scenes."""
    size = (320, 256)
    return [
        (f"scene {seed}/{n}", Image.fromarray(render_scene(seed, n, size).image))
        for n in range(count)
    ]


def web_images(seed: int, count: int) -> Named:
    """Synthetic web images."""
    return [
        (f"web image {seed}/{n}", Image.fromarray(render_web_image(seed, n).image))
        for n in range(count)
    ]


def photographs(folder: Path, seed: int) -> tuple[Named, Named]:
    """Photographs of a folder, in two halves at random."""
    paths = sorted(folder.rglob("*.jpg"))
    order = generator(seed, "halves").permutation(len(paths))
    halves = order[: len(paths) // 2], order[len(paths) // 2 :]
    first, second = (
        [(str(paths[n].relative_to(folder)), Image.open(paths[n]).convert("RGB")) for n in half]
        for half in halves
    )
    return first, second


def table(world: str, results: dict[str, Found]) -> str:
    """What was found as Markdown."""
    lines = [
        f"| {world} | images | found | other pairs | hash alone: found | other pairs |",
        "|---|---|---|---|---|---|",
    ]
    for kind, found in results.items():
        right, hashed = (
            "" if kind == "unrelated" else f"{number / max(found.images, 1):.1%}"
            for number in (found.right, found.hashed_right)
        )
        lines.append(
            f"| {kind} | {found.images} | {right} | {len(found.wrong)} | {hashed} "
            f"| {found.hashed_wrong} |"
        )
    return "\n".join(lines)


def speed(originals: Named, others: Named) -> str:
    """Seconds of a core to read an image, and to compare unrelated pairs."""
    contents = [encoded(image) for _, image in others]
    known = [as_compared(name, encoded(image)) for name, image in originals]
    started = time.process_time()
    compared = [as_compared(str(n), content) for n, content in enumerate(contents)]
    read = time.process_time() - started
    many = ImageSet(
        ComparedImage(f"{n} {one.image_id}", f"{n}", one.picture)
        for n in range(20)
        for one in known
    )
    started = time.process_time()
    many.duplicates(compared, 10)
    pairs = (time.process_time() - started) / len(compared) / len(many)
    return (
        f"{1000 * read / len(others):.2f} ms of a core to read an image of {others[0][1].size}, "
        f"{1e9 * pairs:.0f} ns to compare an unrelated pair"
    )


def main(words: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, help="folder of JPEGs")
    parser.add_argument(
        "--scenes", type=int, default=200, help="or web images: originals, and as many others"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pairs", action="store_true", help="name pairs found where none is")
    arguments = parser.parse_args(words)
    folder = arguments.photographs
    with blas.one_thread():
        for seed in arguments.seeds:
            seeds = (seed, 1000 + seed)  # of the originals, of the others
            worlds = {"scenes": tuple(scenes(s, arguments.scenes) for s in seeds)}
            worlds["web images"] = tuple(web_images(s, arguments.scenes) for s in seeds)
            if folder and folder.is_dir():
                worlds["photographs"] = photographs(folder, seed)
            if seed == arguments.seeds[0]:
                print(speed(*worlds["scenes"]), end="\n\n")
            for world, (originals, others) in worlds.items():
                results = look_up(originals, others, seed)
                _print(f"{world}, seed {seed}", results, arguments)
        if not (folder and folder.is_dir()):
            print("photographs were left out: --photographs names no folder")


def _print(world: str, results: dict[str, Found], arguments: argparse.Namespace) -> None:
    print(table(world, results), end="\n\n", flush=True)
    if arguments.pairs:
        for kind, found in results.items():
            for image, other, score in found.wrong:
                print(f"{kind}: {image} with {other}, {score:.3f}")


if __name__ == "__main__":
    main()
