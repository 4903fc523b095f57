"""COCO's 80 categories in the order of their ids, and the 48 and 17 of open-vocabulary detection.

Source: Lin et al., COCO (arXiv:1405.0312), `categories` of its JSON; the split of 48 base and 17
novel categories is that of Bansal et al., Zero-Shot Object Detection (arXiv:1804.04340), which
open-vocabulary detection kept. The other 15 are in neither.
"""

from __future__ import annotations

from typing import Final

_ALL: Final = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush
"""
_NOVEL: Final = """
airplane, bus, cat, dog, cow, elephant, umbrella, tie, snowboard, skateboard, cup, knife, cake,
couch, keyboard, sink, scissors
"""
_NOT_IN_OVD: Final = """
traffic light, fire hydrant, stop sign, parking meter, sports ball, baseball bat, baseball glove,
tennis racket, wine glass, hot dog, potted plant, dining table, cell phone, teddy bear, hair drier
"""


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", " ").split(","))


COCO_80: Final = _split_names(_ALL)
COCO_17: Final = _split_names(_NOVEL)
COCO_65: Final = tuple(name for name in COCO_80 if name not in _split_names(_NOT_IN_OVD))
COCO_48: Final = tuple(name for name in COCO_65 if name not in COCO_17)

LISTS: Final = {"coco-80": COCO_80, "coco-65": COCO_65, "coco-48": COCO_48, "coco-17": COCO_17}
SPLITS: Final = {
    "coco-ovd": {"base": COCO_48, "novel": COCO_17},
    "coco-novel": {"novel": COCO_17},
    "coco-base": {"base": COCO_48},
}
