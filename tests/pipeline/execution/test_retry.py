"""Refused records are tried again; the bytes are those of a plain ingest of today's sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pipeline.execution import inputs, planning
from pipeline.store import catalog
from schemas.errors import ArtifactNotFoundError, OptionError
from schemas.quarantine import Reason
from stages.ingest import Ingest
from tests.pipeline.helpers import Listener, make
from tests.stages.sources.samples import encoded, saved, write_images

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six images, two to a part; the second of part 0 and the first of part 2 are spoiled."""
    folder = tmp_path / "photos"
    write_images(folder, [f"{n}.png" for n in range(6)])
    spoil(folder / "1.png")
    spoil(folder / "4.png")
    return folder


def spoil(path: Path) -> None:
    """Other bytes, as many: what tells a changed source by the sizes of its files sees nothing."""
    path.with_suffix(".kept").write_bytes(path.read_bytes())
    path.write_bytes(b"x" * path.stat().st_size)


def mend(path: Path) -> None:
    path.write_bytes(path.with_suffix(".kept").read_bytes())


def ingested(folder: Path, root: Path, retry: str | None = None, **options: Any) -> Artifact:
    pins = {"retry": retry} if retry else {}
    how = {name: options.pop(name) for name in ("allow_empty", "reporter") if name in options}
    return make(Ingest(sources=(str(folder),), part_images=2, **options), root, pins, **how)


def quarantine(artifact: Artifact) -> str:
    return f"quarantine@{artifact.manifest.fingerprint[:8]}"


def hashes(artifact: Artifact) -> list[tuple[str, ...]]:
    """SHA-256 of every file of every part."""
    return [
        (part.sha256, *(file.sha256 for file in part.files)) for part in artifact.manifest.parts
    ]


def test_what_can_be_read_now_comes_back_and_the_rest_stays_refused(
    photos: Path, root: Path, tmp_path: Path
) -> None:
    before = ingested(photos, root)
    mend(photos / "1.png")
    assert ingested(photos, root) == before  # a plain run sees no difference
    reporter = Listener()
    after = ingested(photos, root, quarantine(before), reporter=reporter)
    assert (before.manifest.rows, after.manifest.rows) == (4, 5)
    assert after.manifest.dropped == {Reason.UNREADABLE: 1}
    assert after.manifest.notes["summary"][1] == (
        "2 refused records tried again, of 2 parts: 1 came back, 1 refused again"
    )
    assert f"1 of 3 parts are those of {before.address}" in reporter.sentences
    assert after.part(1).samefile(before.part(1))
    assert hashes(after) == hashes(ingested(photos, tmp_path / "plain"))
    assert after.manifest.inputs == {"retry": before.address}
    assert catalog.find(root, "images") == after


def test_the_next_try_is_of_what_was_refused_again(photos: Path, root: Path) -> None:
    first = ingested(photos, root)
    mend(photos / "1.png")
    second = ingested(photos, root, quarantine(first))
    mend(photos / "4.png")
    third = ingested(photos, root, "quarantine")  # of the newest images
    assert [a.address for a in catalog.ancestry(third)] == [
        third.address,
        second.address,
        first.address,
    ]
    assert third.manifest.notes["retried"] == {"records": 1, "parts": 1, "images": 1, "again": 0}
    assert (third.manifest.rows, third.manifest.run["reused_parts"]) == (6, 2)
    assert third.part(0).samefile(second.part(0))
    with pytest.raises(OptionError, match=f"{third.address} refused no record"):
        ingested(photos, root, quarantine(third))


def test_parts_that_were_mended_are_linked_when_the_source_grows(photos: Path, root: Path) -> None:
    before = ingested(photos, root)
    mend(photos / "1.png")
    after = ingested(photos, root, quarantine(before))
    (photos / "6.png").write_bytes(encoded(6))
    grown = ingested(photos, root)
    assert grown.part(0).samefile(after.part(0))
    assert grown.manifest.rows == 6


def test_a_limit_may_be_laxer(photos: Path, root: Path, tmp_path: Path) -> None:
    (photos / "3.png").write_bytes(encoded(3, (50, 50)))
    before = ingested(photos, root, max_pixels=1000, min_side=8)
    assert before.manifest.dropped == {Reason.UNREADABLE: 2, Reason.TOO_MANY_PIXELS: 1}
    (photos / "7.png").write_bytes(encoded(7))
    lax = {"max_pixels": 2500, "min_side": 4, "verify": False}
    after = ingested(photos, root, quarantine(before), **lax)
    assert after.manifest.notes["retried"] == {"records": 3, "parts": 3, "images": 1, "again": 2}
    assert hashes(after) == hashes(ingested(photos, tmp_path / "plain", **lax))
    (photos / "7.png").unlink()
    assert ingested(photos, root, **lax).manifest.run["reused_parts"] == 3  # under its new options


def test_a_part_without_refusals_is_linked_under_laxer_limits(photos: Path, root: Path) -> None:
    before = ingested(photos, root, min_side=8)
    after = ingested(photos, root, quarantine(before), min_side=4)
    assert after.part(1).samefile(before.part(1))
    assert after.manifest.run["reused_parts"] == 1


def test_sources_may_change_meanwhile(photos: Path, root: Path, tmp_path: Path) -> None:
    before = ingested(photos, root)
    mend(photos / "1.png")
    (photos / "2.txt").write_text("a dog")  # part 1 is another now
    (photos / "6.png").write_bytes(encoded(6))  # part 3 is new
    after = ingested(photos, root, quarantine(before))
    assert after.manifest.run["reused_parts"] == 0
    assert hashes(after) == hashes(ingested(photos, tmp_path / "plain"))


@pytest.mark.parametrize("accept_changed", [False, True])
def test_other_images_of_the_same_size_are_seen_where_every_image_is_hashed(
    photos: Path, root: Path, tmp_path: Path, accept_changed: bool
) -> None:
    before = ingested(photos, root)
    image = photos / "2.png"
    other = saved_as_long(image.stat().st_size)
    image.write_bytes(other)
    after = ingested(photos, root, quarantine(before), accept_changed=accept_changed)
    assert after.manifest.run["reused_parts"] == (0 if accept_changed else 1)
    plain = ingested(photos, tmp_path / "plain", accept_changed=accept_changed)
    assert (hashes(after) == hashes(plain)) is accept_changed


def saved_as_long(size: int) -> bytes:
    """Another PNG with so many bytes; it ends before the last of them."""
    content = saved(Image.new("RGB", (3, 3)), "PNG")
    assert len(content) < size
    return content.ljust(size, b"\0")


def test_what_left_the_source_neither_came_back_nor_was_refused(photos: Path, root: Path) -> None:
    before = ingested(photos, root)
    (photos / "4.png").unlink()
    after = ingested(photos, root, quarantine(before))
    assert after.manifest.notes["summary"][1] == (
        "2 refused records tried again, of 2 parts: 0 came back, 1 refused again, "
        "1 not refused any more"
    )


def test_where_everything_was_refused_it_can_be_tried_again(tmp_path: Path, root: Path) -> None:
    folder = tmp_path / "photos"
    write_images(folder, ["0.png"])
    spoil(folder / "0.png")
    before = ingested(folder, root, allow_empty=True)
    mend(folder / "0.png")
    assert ingested(folder, root, quarantine(before)).manifest.rows == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_pixels": 100}, "may only be laxer: its --max-pixels was 50000000, not 100"),
        ({"min_side": 3}, "its --min-side was 2, not 3"),
        ({"require_captions": True}, "its --require-captions was off, not on"),
        ({"pack": True}, "--retry takes the options of the earlier run.*its --pack was off, not"),
        ({"limit": 3}, "its --limit was not given, not 3"),
    ],
)
def test_other_options_are_refused(
    photos: Path, root: Path, options: dict[str, Any], sentence: str
) -> None:
    before = ingested(photos, root)
    with pytest.raises(OptionError, match=sentence):
        ingested(photos, root, quarantine(before), **options)


def test_another_source_is_refused(photos: Path, root: Path, tmp_path: Path) -> None:
    before = ingested(photos, root)
    write_images(tmp_path / "others", ["0.png"])
    with pytest.raises(OptionError, match=rf"are of {photos}, not of {tmp_path}/others; name"):
        ingested(tmp_path / "others", root, quarantine(before))


def test_of_a_source_that_lost_all_such_parts_nothing_is_left(photos: Path, root: Path) -> None:
    mend(photos / "1.png")
    before = ingested(photos, root)
    for n in (3, 4, 5):
        (photos / f"{n}.png").unlink()
    with pytest.raises(OptionError, match="nothing is left to retry: the sources are smaller"):
        ingested(photos, root, quarantine(before))


@pytest.mark.parametrize("name", ["images", "images@3f", "features@3f"])
def test_a_name_that_is_no_quarantine_is_refused(photos: Path, root: Path, name: str) -> None:
    ingested(photos, root)
    with pytest.raises(OptionError, match="--retry takes quarantine@…, got"):
        ingested(photos, root, name)


def test_a_quarantine_that_is_not_there_is_looked_for_among_images(
    photos: Path, root: Path
) -> None:
    before = ingested(photos, root)
    with pytest.raises(ArtifactNotFoundError, match=f"the images there are {before.path.name}"):
        ingested(photos, root, "quarantine@0000000")


def test_a_dry_run_counts_the_parts_that_would_be_read(photos: Path, root: Path) -> None:
    before = ingested(photos, root)
    stage = Ingest(sources=(str(photos),), part_images=2)
    chosen = inputs.resolve(stage, {"retry": quarantine(before)}, root)
    assert "would compute 2 of 3 parts" in planning.plan(stage, chosen, root).forecast()
