"""CVAT's XML: every kind of shape, archives, and XML that is made to do harm."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.reviewing import cvat_reviews
from stages.reviewing.cvat_reviews import read_cvat
from stages.reviewing.review_comparison import NO_REGION, Unread
from tests.stages.reviewing.small_export import LABELS, NAMES, Collected, write_export

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = '<image id="2" name="train/000000000003.png" width="64" height="60">'
BOX = '<box label="dog" xtl="16.00" ytl="15.00" xbr="48.00" ybr="30.00" z_order="0">'
REGION = '<attribute name="score">0.75</attribute><attribute name="region">0</attribute>'


def read(folder: Path, inside: str) -> Collected:
    """One image with what is inside it."""
    return read_text(
        folder, f"<annotations><version>1.1</version>{IMAGE}{inside}</image></annotations>"
    )


def read_text(folder: Path, text: str | bytes) -> Collected:
    exported = folder / "out"
    if not exported.exists():
        write_export(exported, "cvat")
    file = folder / "file.xml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    collected = Collected.of(exported)
    read_cvat(file, collected.collector)
    return collected


def test_the_export_itself_is_read(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    collected = read_text(tmp_path, (folder / "annotations.xml").read_bytes())
    assert collected.boxes() == {
        number: [(r, NAMES[category], box) for r, (category, _, box) in enumerate(labels)]
        for number, labels in LABELS.items()
    }
    known = [label["name"] for label in json.loads((folder / "labels.json").read_text())]
    assert set(known) == collected.collector.exported.offered


def test_a_box_has_its_region_or_none(tmp_path: Path) -> None:
    other = '<attribute name="region"></attribute>'
    inside = f"{BOX}{REGION}</box>{BOX}{other}</box>{BOX}</box>"
    sides = (16.0, 15.0, 48.0, 30.0)
    collected = read(tmp_path, inside)
    assert collected.boxes() == {3: [(region, "dog", sides) for region in (0, *[NO_REGION] * 2)]}
    assert collected.refused == []


@pytest.mark.parametrize(
    ("shape", "unread"),
    [
        (f"{BOX[:-1]} rotation='12.5'>{REGION}</box>", Unread(0, "dog")),
        (f"{BOX[:-1]} rotation='nan'>{REGION}</box>", Unread(0, "dog")),
        (f"<polygon label='cat' points='1,2;3,4;5,6'>{REGION}</polygon>", Unread(0, "cat")),
        ("<mask label='dog' rle='1, 2' left='0' top='0'/>", Unread(NO_REGION, "dog")),
        ("<skeleton label='dog'><points label='nose'/></skeleton>", Unread(NO_REGION, "dog")),
        ("<ellipse/>", Unread(NO_REGION, None)),
    ],
)
def test_other_shapes_are_counted_and_may_be_a_label(
    tmp_path: Path, shape: str, unread: Unread
) -> None:
    collected = read(tmp_path, shape)
    ((_, review),) = collected.collector.reviews()
    assert (review.num_boxes, review.unread) == (0, {unread})
    assert collected.collector.counts["unread"] == 1


def test_a_tag_of_the_image_is_no_shape(tmp_path: Path) -> None:
    collected = read(tmp_path, '<tag label="dog" source="manual"></tag>')
    ((_, review),) = collected.collector.reviews()
    assert review.unread == set()
    assert collected.collector.counts["answers"] == 1


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ('<box label="dog" xtl="1" ytl="1" xbr="x" ybr="5"/>', Reason.BAD_BOX),
        ('<box label="dog" xtl="1" ytl="1" xbr="1e999" ybr="5"/>', Reason.BAD_BOX),
        ('<box label="dog" xtl="1" ytl="1" xbr="NaN" ybr="5"/>', Reason.BAD_BOX),
        ('<box label="dog"/>', Reason.BAD_BOX),
        ('<box label="dog" xtl="1" ytl="1" xbr="1" ybr="5"/>', Reason.EMPTY_BOX),
        ('<box label="dog" xtl="-9" ytl="1" xbr="-1" ybr="5"/>', Reason.OUTSIDE_BOX),
        ('<box xtl="1" ytl="1" xbr="2" ybr="5"/>', Reason.UNKNOWN_CATEGORY),
    ],
)
def test_what_is_no_box_is_refused(tmp_path: Path, box: str, reason: Reason) -> None:
    collected = read(tmp_path, box)
    assert collected.reasons == [reason]
    assert collected.refused[0][0] == "file.xml: image 1, box 1"


def test_images_of_another_size_or_name_are_not_judged(tmp_path: Path) -> None:
    text = f"<annotations>{IMAGE.replace('60', '61')}{BOX}</box></image></annotations>"
    collected = read_text(tmp_path, text)
    assert collected.reasons == [Reason.SIZE_MISMATCH]
    collected = read_text(tmp_path, '<annotations><image name="a.png"/><image/></annotations>')
    assert collected.collector.unknown == ["a.png", "file.xml: image 2"]
    assert collected.boxes() == {}


def test_an_archive_as_cvat_downloads_it_is_read(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    with zipfile.ZipFile(tmp_path / "task.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "annotations.xml", "annotations.xml")
    collected = Collected.of(folder)
    read_cvat(tmp_path / "task.zip", collected.collector)
    assert {number: len(boxes) for number, boxes in collected.boxes().items()} == {3: 2, 7: 3}
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("annotations/instances_default.json", "{}")
    with pytest.raises(SourceError, match=r"other.zip has no annotations.xml; export the task"):
        read_cvat(tmp_path / "other.zip", collected.collector)


LAUGHS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
HARM = {
    "entities": f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><annotations>&l9;</annotations>',
    "a file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
    "a document type": '<!DOCTYPE annotations SYSTEM "http://example.org/x.dtd"><annotations/>',
    "an undefined entity": f"<annotations>{IMAGE}&x;</image></annotations>",
    "nesting": "<annotations>" + "<a>" * 100_000,
    "no end": f"<annotations>{IMAGE}",
    "no XML": "<" * 1000,
    "HTML": "<html><body/></html>",
    "video": '<annotations><track id="0" label="dog"><box frame="0"/></track></annotations>',
    "zero bytes": b"<annotations>\0</annotations>",
    "no UTF-8": b"<annotations><a b='\xff'/></annotations>",
    "two roots": "<annotations/><annotations/>",
    "nothing": "",
}


@pytest.mark.parametrize("what", HARM)
def test_xml_that_is_not_of_cvat_is_one_sentence(tmp_path: Path, what: str) -> None:
    with pytest.raises(SourceError) as raised:
        read_text(tmp_path, HARM[what])
    assert "file.xml" in str(raised.value)
    assert len(str(raised.value)) < 500
    if what in ("entities", "a file", "a document type"):
        assert "has a document type, which files of CVAT have not" in str(raised.value)


def test_an_element_is_not_longer_than_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cvat_reviews, "_LONGEST", 10_000)
    monkeypatch.setattr(cvat_reviews, "_CHUNK", 1000)
    with pytest.raises(SourceError, match="has an element of more than 10,000 bytes"):
        read(tmp_path, f"<mask rle='{'1, ' * 10_000}'/>")


def test_texts_of_attributes_are_cut(tmp_path: Path) -> None:
    long = f'<attribute name="{"n" * 1000}">{"x" * 100_000}</attribute>'
    collected = read(tmp_path, f"{BOX}{REGION}{long}</box>")
    assert [region for region, *_ in collected.boxes()[3]] == [0]
