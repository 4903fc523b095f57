"""Which of open_clip's image towers can be loaded, read by regions, trained and exported.

    python -m benchmarks.towers [NAME ...] [--results FILE] [--onnx] [--page docs/weights.md]

Builds each architecture of open_clip's list with random weights, on a CPU, offline. One that is too
large for that is built as a sibling: the same configuration with two blocks, or one a stage, and
where the architecture lets it with fewer channels. Results go to a file, a line of JSON an image
tower; towers that are in it are not checked again, so a run can be stopped and gone on with.
`--onnx` also exports the smallest tower of each family to ONNX, a minute each. `--page` writes the
table between the two marks of that page.

What the columns say is in `benchmarks/tower_checks.py`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import open_clip

from benchmarks.tower_checks import (
    COLUMNS,
    build,
    is_affordable,
    onnx_agrees,
    parameters_of,
    sibling_of,
)
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.tower_checks import Case

MARKS: Final = ("<!-- towers: made by python -m benchmarks.towers -->", "<!-- end of towers -->")
# a family's name, and how the name of its timm networks begins
TIMM_FAMILIES: Final = {
    "ConvNeXt": ("convnext",),
    "EVA-01": ("eva_giant",),
    "EVA-02": ("eva02",),
    "MobileCLIP, MobileCLIP 2: FastViT": ("fastvit",),
    "MobileCLIP-B, MobileCLIP2-L: timm ViT": ("vit_base_mci", "vit_large_patch14_clip"),
    "PE": ("vit_pe",),
    "ViTamin": ("vitamin",),
    "ViT of timm, average pooling": ("vit_medium_patch16_gap",),
    "ViT of timm, relative positions": ("vit_relpos",),
    "Swin": ("swin",),
}


def main(words: list[str] | None = None) -> int:
    """Check what is asked for, print the table, and write it into a page."""
    arguments = _parse_arguments(words)
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    names = arguments.names or open_clip.list_models()
    results = check_all(names, arguments.results)
    if arguments.onnx:
        add_onnx(results, arguments.results)
    table = "\n".join(rows_of(results))
    print(table)
    if arguments.page:
        write_between_marks(arguments.page, table)
    return 0


def check_all(names: Iterable[str], file: Path) -> list[dict[str, Any]]:
    """Results of these architectures; those that are not in the file yet are added to it."""
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    known = {result["tower"]: result for result in results}
    chosen = []
    for name in names:
        whole = dict(open_clip.get_model_config(name))
        config = choose(whole, known)
        key = key_of(config)
        if key not in known:
            started = time.monotonic()
            known[key] = {"tower": key, "parameters": parameters_of(config), "cells": check(config)}
            with file.open("a") as stream:
                stream.write(json.dumps(known[key]) + "\n")
            seconds = time.monotonic() - started
            print(f"{name}: {known[key]['cells']} {seconds:.0f} s", file=sys.stderr, flush=True)
        about = {"name": name, "family": family(name), "sibling": config is not whole}
        chosen.append(known[key] | about)
    return chosen


def choose(config: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration or its sibling, whichever was checked before, else the one to check."""
    if key_of(config) in known:
        return config
    sibling = sibling_of(config)
    return sibling if key_of(sibling) in known or not is_affordable(config) else config


def key_of(config: Mapping[str, Any]) -> str:
    """What decides the image tower of a configuration, so that equal towers are checked once."""
    return json.dumps([config["vision_cfg"], config["embed_dim"], config.get("quick_gelu")])


def check(config: Mapping[str, Any]) -> dict[str, str]:
    """What each column says of one configuration."""
    try:
        case = build(config)
        return {column: cell(function, case) for column, function in COLUMNS.items()}
    except RCError as error:
        return {**dict.fromkeys(COLUMNS, "no"), "load": f"no: {error}"}
    finally:
        gc.collect()


def cell(function: Callable[[Case], str], case: Case) -> str:
    """What a column says; no where open_clip's or timm's own network refuses the image."""
    try:
        return function(case)
    except AssertionError as error:
        print(f"{function.__name__}: {error}", file=sys.stderr)
        return "no"


def family(name: str) -> str:
    """The row of the table that an architecture belongs to."""
    vision = open_clip.get_model_config(name)["vision_cfg"]
    network = vision.get("timm_model_name")
    if network is None:
        if isinstance(vision["layers"], list):
            return "CLIP ResNet"
        pool = "attention" if vision.get("attentional_pool") else vision.get("pool_type", "tok")
        return {
            "attention": "ViT, attention pooling: CoCa",
            "avg": "ViT, average pooling: CLIPA",
            "tok": "ViT, class token: OpenAI's, LAION's and most others",
        }[pool]
    if "siglip" in network:
        return "SigLIP, SigLIP 2"
    return next(f for f, starts in TIMM_FAMILIES.items() if network.startswith(starts))


def add_onnx(results: Sequence[dict[str, Any]], file: Path) -> None:
    """Export the smallest tower of each family to ONNX, and add the result to the file."""
    smallest = {}
    for result in sorted(results, key=lambda r: r["parameters"], reverse=True):
        smallest[result["family"]] = result
    for result in results:  # a family is exported once
        if "onnx" in result:
            smallest[result["family"]] = result
    for result in smallest.values():
        if "onnx" not in result and result["cells"]["export"] != "no":
            config = dict(open_clip.get_model_config(result["name"]))
            result["onnx"] = onnx_agrees(sibling_of(config) if result["sibling"] else config)
            print(f"{result['name']}: ONNX {result['onnx']}", file=sys.stderr, flush=True)
            with file.open("a") as stream:
                kept = {k: v for k, v in result.items() if k not in ("name", "family", "sibling")}
                stream.write(json.dumps(kept) + "\n")


def rows_of(results: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """The lines of the table: one a family, with the number of its architectures."""
    families = defaultdict(list)
    for result in results:
        families[result["family"]].append(result)
    yield f"| image tower | models | {' | '.join(COLUMNS)} |"
    yield "|---|---" + "|---" * len(COLUMNS) + "|"
    for name, members in sorted(families.items(), key=lambda item: -len(item[1])):
        siblings = sum(member["sibling"] for member in members)
        count = f"{len(members)}" + (f" ({siblings} by siblings)" if siblings else "")
        cells = [cell_of([member["cells"][column] for member in members]) for column in COLUMNS]
        if any(member.get("onnx") for member in members):
            cells[-1] += ", onnx"
        yield f"| {name} | {count} | {' | '.join(cells)} |"


def cell_of(cells: Sequence[str]) -> str:
    """What all members of a family have in common, or how many have it."""
    good = [cell for cell in cells if not cell.startswith("no")]
    if len(good) == len(cells):
        return good[0]
    return f"{good[0]}: {len(good)} of {len(cells)}" if good else cells[0].split(":")[0]


def write_between_marks(page: Path, table: str) -> None:
    """Replace what is between the marks of a page."""
    before, _, rest = page.read_text("utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    page.write_text(f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{after}", "utf-8")


def _parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check open_clip's image towers.")
    parser.add_argument("names", nargs="*", help="architectures; default: all that open_clip has")
    parser.add_argument("--results", type=Path, default=Path("towers.jsonl"), help="a file to keep")
    parser.add_argument("--onnx", action="store_true", help="also export to ONNX")
    parser.add_argument("--page", type=Path, help="write the table into this page")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
