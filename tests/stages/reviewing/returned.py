"""What annotation programs make of an exported folder, with a few edits by hand.

Each function writes the file that a program would give back of the folder, as it came. Edits are
by image number and region: another name, other sides, or None for a label that was deleted.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Edit = str | tuple[float, float, float, float] | None
    Edits = Mapping[tuple[int, int], Edit]

SIDES = ("xtl", "ytl", "xbr", "ybr")


def label_studio(
    folder: Path, edits: Edits, new: Mapping[int, Sequence[float]] | None = None, **more: Any
) -> Path:
    """Each task with one annotation, which began with the prediction; `more` is of all of them."""
    tasks = json.loads((folder / "tasks.json").read_text())
    for task in tasks:
        result = deepcopy(task["predictions"][0]["result"])
        number = int(result[0]["id"].split("-")[0])
        kept = []
        for item in result:
            del item["score"]
            edit = edits.get((number, int(item["id"].split("-")[1])), item)
            if isinstance(edit, str):
                item["value"]["rectanglelabels"] = [edit]
            elif isinstance(edit, tuple):
                item["value"] |= per_cent(edit, item["original_width"], item["original_height"])
            if edit is not None:
                kept.append(item)
        for sides in [new[number]] if new and number in new else []:
            box = deepcopy(result[0]) | {"id": "Dx_aB91ISN", "origin": "manual"}
            box["value"] |= per_cent(sides, box["original_width"], box["original_height"])
            kept.append(box)
        annotation = {"id": 1000 + number, "completed_by": 1, "result": kept, "lead_time": 4.288}
        annotation |= {"was_cancelled": False, "ground_truth": False, "parent_prediction": 7}
        annotation |= {"created_at": "2026-03-09T22:16:08.728353Z", **more}
        annotation.setdefault("updated_at", annotation["created_at"])
        task |= {"id": number, "annotations": [annotation], "drafts": [], "project": 83}
    path = folder.with_name(f"{folder.name} returned.json")
    path.write_text(json.dumps(tasks))
    return path


def per_cent(sides: Sequence[float], width: int, height: int) -> dict[str, float]:
    """A box as Label Studio has it."""
    x0, y0, x1, y1 = sides
    return {
        "x": 100 * x0 / width,
        "y": 100 * y0 / height,
        "width": 100 * (x1 - x0) / width,
        "height": 100 * (y1 - y0) / height,
    }


def cvat(folder: Path, edits: Edits, new: Mapping[int, Sequence[float]] | None = None) -> Path:
    """The XML, its numbers with two digits, and what CVAT says of the task before the images."""
    root = ElementTree.parse(folder / "annotations.xml").getroot()
    meta = ElementTree.Element("meta")
    ElementTree.SubElement(ElementTree.SubElement(meta, "task"), "name").text = "mended"
    root.insert(1, meta)
    for image in root.iter("image"):
        number = int(image.attrib["id"]) + 1
        for box in list(image.iter("box")):
            region = int(next(one.text or "" for one in box if one.attrib["name"] == "region"))
            edit = edits.get((number, region), "")
            sides = edit if isinstance(edit, tuple) else [float(box.attrib[s]) for s in SIDES]
            box.attrib |= {side: f"{n:.2f}" for side, n in zip(SIDES, sides, strict=True)}
            box.attrib["source"] = "manual"
            if isinstance(edit, str) and edit:
                box.attrib["label"] = edit
            if edit is None:
                image.remove(box)
        if new and number in new:
            sides = {s: f"{n:.2f}" for s, n in zip(SIDES, new[number], strict=True)}
            box = ElementTree.SubElement(image, "box", {"label": "dog", **sides, "z_order": "0"})
            ElementTree.SubElement(box, "attribute", {"name": "region"})
    path = folder.with_name(f"{folder.name} returned.xml")
    ElementTree.ElementTree(root).write(path, "utf-8", xml_declaration=True)
    return path


def coco(
    folder: Path,
    edits: Edits,
    new: Mapping[int, Sequence[float]] | None = None,
    regions: Mapping[int, tuple[int, int]] | None = None,
) -> Path:
    """The JSON with ids of the program's own, and without fields that it does not know.

    Args:
        folder: Of the export; with one split.
        edits: As above.
        new: Boxes that were drawn.
        regions: Image number and region of each annotation, by its id in the export.
    """
    (source,) = (folder / "annotations").glob("instances_*.json")
    content = json.loads(source.read_text())
    numbers = {category["name"]: category["id"] for category in content["categories"]}
    kept = []
    for annotation in content["annotations"]:
        key = (regions or {}).get(annotation["id"], (0, 0))
        edit = edits.get(key, "")
        if edit is None:
            continue
        annotation.pop("score")
        if isinstance(edit, tuple):
            x0, y0, x1, y1 = edit
            annotation["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        elif edit:
            annotation["category_id"] = numbers.setdefault(edit, len(numbers) + 1)
        kept.append(annotation)
    for number, (x0, y0, x1, y1) in (new or {}).items():
        box = {"category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
        kept.append({"image_id": number, **box})
    for annotation in kept:
        annotation["image_id"] += 500
    for image in content["images"]:
        image["id"] += 500
        image.pop("original_id")
        image["file_name"] = f"mended/{image['file_name']}"
    categories = [{"id": key, "name": name} for name, key in numbers.items()]
    done = {"annotations": kept, "images": content["images"], "categories": categories}
    path = folder.with_name(f"{folder.name} returned.json")
    path.write_text(json.dumps(done))
    return path
