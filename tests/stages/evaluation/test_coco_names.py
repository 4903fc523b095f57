from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.evaluation.coco_names import COCO_17, COCO_48, COCO_65, COCO_80
from stages.evaluation.vocabulary import list_digest, read_categories, read_splits

PUBLISHED = Path(__file__).parents[4] / "shared/data/splits/coco_zeroshot_categories.json"


def test_there_are_eighty_names_of_which_48_are_base_and_17_novel() -> None:
    lists = (COCO_80, COCO_65, COCO_48, COCO_17)
    assert [len(set(names)) for names in lists] == [len(names) for names in lists]
    assert [len(names) for names in lists] == [80, 65, 48, 17]
    assert set(COCO_48) | set(COCO_17) == set(COCO_65)


@pytest.mark.parametrize("names", [COCO_65, COCO_48, COCO_17])
def test_every_list_is_in_the_order_of_cocos_ids(names: tuple[str, ...]) -> None:
    assert list(names) == sorted(names, key=COCO_80.index)


def test_lists_and_splits_are_known_by_name() -> None:
    assert tuple(read_categories(Path("coco-65"))) == COCO_65
    assert read_splits(Path("coco-ovd")) == {"base": COCO_48, "novel": COCO_17}
    digests = [list_digest(Path(name)) for name in ("coco-65", "coco-80", "coco-ovd")]
    assert len(set(digests)) == 3


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published lists are not beside the project")
def test_the_names_are_the_published_ones() -> None:
    published = json.loads(PUBLISHED.read_text())
    assert tuple(published["COCO_80_ALL_CLS"].values()) == COCO_80
    assert tuple(published["COCO_OVD_ALL_CLS"]) == COCO_65
    assert tuple(published["COCO_SEEN_CLS"]) == COCO_48
    assert tuple(published["COCO_UNSEEN_CLS"]) == COCO_17
