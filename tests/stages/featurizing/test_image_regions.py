from __future__ import annotations

import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from stages.featurizing.image_regions import images_with_regions
from tests.in_memory import InMemory
from tests.stages.featurizing.boxed_images import image_row, images, proposals


@pytest.mark.parametrize("names", ["ba", "az"])
def test_proposals_out_of_order_or_of_other_images_are_refused(names: str) -> None:
    rows = images(image_row("a"), image_row("b"))
    boxes = proposals(*[(name, 0, [0, 0, 9, 9]) for name in names])
    part = InMemory({"images": rows, "proposals": boxes})
    with pytest.raises(ArtifactError, match=r"^proposals of \w do not follow the order of the i"):
        list(images_with_regions(part, limited=False))


def test_with_a_limit_the_proposals_of_later_images_are_ignored() -> None:
    boxes = proposals(*[(name, 0, [0, 0, 9, 9]) for name in "abc"])
    part = InMemory({"images": images(image_row("a")), "proposals": boxes})
    assert [image.image_id for image in images_with_regions(part, limited=True)] == ["a"]


def test_proposals_of_an_image_are_together_however_rows_are_cut_into_batches() -> None:
    boxes = [(name, region, [region, 0, 9, 9]) for name in "bd" for region in (0, 2, 5)]
    tables = {"images": images(*map(image_row, "abcd")), "proposals": proposals(*boxes)}
    for size in (1, 2, 100):
        cut = {
            role: pa.Table.from_batches(rows.to_batches(max_chunksize=size))
            for role, rows in tables.items()
        }
        found = list(images_with_regions(InMemory(cut), limited=False))
        assert [image.image_id for image in found] == ["a", "b", "c", "d"]
        assert [image.regions.tolist() for image in found] == [[], [0, 2, 5], [], [0, 2, 5]]
        assert found[1].boxes.tolist() == [[0, 0, 9, 9], [2, 0, 9, 9], [5, 0, 9, 9]]
        assert found[0].boxes.shape == (0, 4)
