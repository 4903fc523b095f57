"""docs/scale.md: what was measured, and what follows for large sets by arithmetic that is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.scale.many_parts import IMAGES, REGIONS
from benchmarks.scale.measuring import slope
from pipeline.api import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.scale.measuring import Cost

SETS: Final = {"CC3M": 3_000_000, "CC12M": 12_000_000, "LAION-400M": 400_000_000}
PART_IMAGES: Final = 10_000  # of a part, by default of `rc ingest`
GPUS: Final = 8
RATE: Final = 20  # images a second of one GPU: assumed
WIDTH: Final = 1024  # numbers of a feature of RN50, float16
_PIECE: Final = 8 << 20  # bytes of one request of push and pull

_BEFORE: Final = f"""# Scale

How time and memory grow with the number of parts, and what that means for large sets. Made by
`python -m benchmarks.scale --page docs/scale.md`; a tiny form is in `make test`.

## Parts

A store of images, concepts, proposals and pseudo-labels in so many parts, each of {IMAGES} images
with {REGIONS} regions: 100,000 parts are 3 million images. Each command is a process of its own,
run on a store whose files were hashed before, as after any first reading. Files of parts are
links to the files of one part, so the disk cache is warmer than that of a real store; manifests,
lists of parts and names are as many and as long. CPU is seconds of all cores, the least of the
runs; wall is by the clock, and holds what other programs on the two cores took. Slope is that of
log CPU above start-up over log parts, by least squares; start-up is the CPU of a store with one
part, and less than 0.1 s above it is left out as noise. "Flat" is a growth of under half a second.
"""
_SIZES: Final = """## Sizes

Bytes of an image, of the part that the stages of this project made of the images above (images by
reference, the bundled localizer with all its raw boxes, the 64 best concepts of each region).
Synthetic scenes: photographs have longer captions and more varied boxes. Features are by
arithmetic: {regions} regions and the whole image, {width} numbers of two bytes; `rc label
--from-images` stores none.
"""
_SETS: Final = f"""## Large sets, by arithmetic

Parts of {PART_IMAGES:,} images, the default; {REGIONS} regions of each image; bytes as above.
Requests: a push asks for each file whether it is there, and sends it (files above 8 MB in pieces,
with three further requests); a pull asks for pieces of 8 MB. Hours: images divided by {GPUS} GPUs
that featurize {RATE} images a second each. That rate is an assumption, not a measurement: put
your own into `hours = images / ({GPUS} * rate * 3600)`; `python -m benchmarks.estimate --device
cuda` measures the network alone.
"""
_AFTER: Final = """## Not measured

* Nothing ran on 8 GPUs, on more than one machine, or on CC3M, CC12M or LAION-400M.
* Time of decoding images, of writing parts and of the network of an object store is not in the
  hours. By [decision 6](decisions/0006-ray.md) the driver names some hundred parts a second, so
  that 40,000 parts cost it minutes.
* Reading rows is not part of `rc sql`'s first row; a query over all rows reads all parts.
* The first opening of each file hashes it: half a second per GB, once.
* Training: the published run of RN50 on CC3M took about six days on 32 GPUs
  ([recipes](recipes.md)).
"""


@dataclass(frozen=True)
class Size:
    """Files of a kind: how many of a part, bytes of an image."""

    files: int
    bytes: float


def page(costs: Mapping[str, Mapping[int, Cost]], one: Path) -> str:
    """The whole page.

    Args:
        costs: Of each command by number of parts, with that of one part.
        one: The store of one part.
    """
    sizes = sizes_of(one)
    features = 2 * WIDTH * (REGIONS + 1)
    lines = [
        _BEFORE,
        *_costs(costs),
        "",
        _SIZES.format(regions=REGIONS, width=WIDTH),
        *["| artifact | files of a part | bytes of an image |", "|---|---|---|"],
        *(f"| {name} | {size.files} | {size.bytes:,.0f} |" for name, size in sizes.items()),
        f"| features, if stored | 1 | {features:,} |",
        "",
        _SETS,
        *_sets(sizes, features),
        "",
        _AFTER,
    ]
    return "\n".join(lines)


def _costs(costs: Mapping[str, Mapping[int, Cost]]) -> Iterator[str]:
    sizes = [n for n in next(iter(costs.values())) if n > 1]
    heads = [f"CPU s at {n:,}" for n in (1, *sizes)]
    yield f"| command | {' | '.join(heads)} | wall s | peak MB | slope |"
    yield "|---" * (len(heads) + 4) + "|"
    for name, by_parts in costs.items():
        seconds = " | ".join(f"{by_parts[n].cpu_s:.2f}" for n in (1, *sizes))
        last, steepness = by_parts[sizes[-1]], slope(by_parts)
        grows = "flat" if steepness is None else f"{steepness:.2f}"
        yield f"| `{name}` | {seconds} | {last.wall_s:.1f} | {last.peak_mb:,.0f} | {grows} |"


def sizes_of(one: Path) -> dict[str, Size]:
    """Sizes of what a store of one part has in parts, by artifact."""
    sizes = {}
    artifacts = {artifact.manifest.artifact: artifact for artifact in Store(one).artifacts()}
    images = artifacts["images"].manifest.rows
    for table in ("images", "concepts", "proposals", "pseudo_labels"):
        artifact = artifacts[table]
        name = "mentions" if table == "concepts" else table
        [record] = artifact.drafts if table == "concepts" else artifact.parts
        sizes[name] = Size(1, record.bytes / images)
        if record.files:
            beside = sum(file.bytes for file in record.files)
            sizes[f"{name}, raw boxes"] = Size(len(record.files), beside / images)
    return sizes


def _sets(sizes: Mapping[str, Size], features: int) -> Iterator[str]:
    heads = "set | images | parts | files | GB | GB of features | requests of a push | of a pull"
    yield f"| {heads} | hours |"
    yield "|---" * 9 + "|"
    for name, images in SETS.items():
        parts = math.ceil(images / PART_IMAGES)
        files = parts * sum(size.files for size in sizes.values())
        total = images * sum(size.bytes for size in sizes.values())
        push = parts * sum(_push_requests(size) * size.files for size in sizes.values())
        pull = parts * sum(_pieces(size) * size.files for size in sizes.values())
        cells = [name, f"{images:,}", f"{parts:,}", f"{files:,}", f"{total / 1e9:,.0f}"]
        cells += [f"{images * features / 1e9:,.0f}", f"{push:,}", f"{pull:,}"]
        yield f"| {' | '.join(cells)} | {images / (GPUS * RATE * 3600):,.1f} |"


def _pieces(size: Size) -> int:
    """Requests for one file of a part of the default size."""
    return math.ceil(size.bytes / size.files * PART_IMAGES / _PIECE)


def _push_requests(size: Size) -> int:
    pieces = _pieces(size)
    return 2 if pieces == 1 else pieces + 4  # is it there; begin, pieces, end; is it there
