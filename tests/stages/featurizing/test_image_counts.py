from __future__ import annotations

from stages.featurizing.image_counts import described_images, lost_images


def images(seen: int, unreadable: int = 0, without_regions: int = 0) -> dict[str, int]:
    return {"seen": seen, "unreadable": unreadable, "without_regions": without_regions}


def test_nothing_is_said_of_images_that_all_have_features() -> None:
    assert described_images(images(3)) == ""
    assert lost_images(images(3)) == []


def test_images_without_features_are_told_by_why() -> None:
    assert described_images(images(9000, 1200)) == "; 1,200 could not be read"
    assert described_images(images(9, 1, 2)) == "; 2 without proposals; 1 could not be read"


def test_only_most_images_are_a_loss_and_those_without_proposals_are_none() -> None:
    assert lost_images(images(4, unreadable=2, without_regions=2)) == []
    assert lost_images(images(1, unreadable=1)) == ["1 of 1 image unreadable"]
