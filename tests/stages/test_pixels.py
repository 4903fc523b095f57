from __future__ import annotations

import io
import os
import struct
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from schemas.errors import ChangedImageError, SourceError
from stages import jpeg_scans
from stages.pixels import (
    ImageHeader,
    Limits,
    Refusal,
    decode,
    load_image,
    probe,
    read_content,
    upright,
)
from tests.stages.jpeg_samples import many_scans
from tests.stages.sources.samples import (
    encoded,
    ingest,
    saved,
    write_images,
    write_json,
    write_tar,
)


def with_orientation(orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    return encoded(3, (13, 7), kind, exif=exif, **options)


def forged_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, with hardly any pixels behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_as_pillow_does(orientation: int, kind: str) -> None:
    content = with_orientation(orientation, kind)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))
    header = probe(content, Limits())
    pixels = decode(content, header.orientation)
    assert header == ImageHeader(kind, expected.shape[1], expected.shape[0], orientation)
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(orientation: int) -> None:
    content = with_orientation(orientation, "TIFF")
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))
    header = probe(content, Limits())
    assert header == ImageHeader("TIFF", expected.shape[1], expected.shape[0], 1)
    assert expected.shape[:2] == ((13, 7) if orientation >= 5 else (7, 13))
    np.testing.assert_array_equal(decode(content, header.orientation), expected)


def test_the_eight_orientations_are_eight_different_images() -> None:
    scene = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    turned = {upright(scene, orientation).tobytes() for orientation in range(1, 9)}
    assert len(turned) == 8
    np.testing.assert_array_equal(upright(upright(scene, 6), 8), scene)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_counts_as_upright(orientation: int) -> None:
    assert probe(with_orientation(orientation, "JPEG"), Limits()).orientation == 1


def test_damaged_exif_counts_as_upright() -> None:
    content = encoded(exif=b"Exif\0\0MM\0*\0\0\xff\xff\xff\xff")
    assert probe(content, Limits()).orientation == 1


def test_a_huge_header_is_refused_before_its_pixels_are_decoded() -> None:
    with pytest.raises(Refusal) as caught:
        probe(forged_png(60_000, 60_000), Limits())
    assert caught.value.reason == "too-many-pixels"
    with pytest.raises(Refusal, match="too-many-pixels"):
        decode(forged_png(60_000, 60_000), 1)


def test_the_pixel_limit_may_be_raised_above_that_of_pillow() -> None:
    header = probe(forged_png(20_000, 20_000), Limits(max_pixels=400_000_000))
    assert (header.width, header.height) == (20_000, 20_000)


def test_the_pixel_limit_itself_is_allowed() -> None:
    assert probe(encoded(size=(10, 10)), Limits(max_pixels=100)).width == 10
    with pytest.raises(Refusal, match="too-many-pixels"):
        probe(encoded(size=(10, 10)), Limits(max_pixels=99))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_a_side_of_one_pixel_is_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(Refusal, match="too-small"):
        probe(encoded(size=size), Limits())


@pytest.mark.parametrize("content", [b"", b"GIF89a rest", b"<svg/>", bytes(100), b"\xff\xd8\xff"])
def test_content_that_is_not_an_image_is_unreadable(content: bytes) -> None:
    for read in (lambda: probe(content, Limits()), lambda: decode(content, 1)):
        with pytest.raises(Refusal) as caught:
            read()
        assert caught.value.reason == "unreadable"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((name, name) for name in ("GIF", "BMP", "TIFF", "AVIF", "PPM")),
        *(("DIB", "BMP"), ("JPEG2000", "JPEG 2000"), ("MPO", "JPEG")),
    ],
)
def test_other_formats_give_the_pixels_that_pillow_shows(kind: str, name: str) -> None:
    content = encoded(5, kind=kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert probe(content, Limits()) == ImageHeader(name, 12, 8, 1)
    np.testing.assert_array_equal(decode(content, 1), expected)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    first, second = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    content = saved(first, kind, save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(content)).n_frames == 2  # type: ignore[attr-defined]
    pixels = decode(content, 1).astype(int)
    assert np.abs(pixels - [255, 0, 0]).max() <= 3


def test_a_transparent_gif_is_white_where_it_is_clear() -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((0, 0), 1)
    pixels = decode(saved(picture, "GIF", transparency=0), 1)
    assert (pixels[0, 0].tolist(), pixels[1, 1].tolist()) == ([0, 0, 255], [255, 255, 255])


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_unknown_range_are_refused(dtype: type) -> None:
    content = saved(Image.fromarray(np.ones((4, 5), dtype)), "TIFF")
    with pytest.raises(Refusal, match="unreadable: TIFF does not decode: pixels of 32 bits"):
        decode(content, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_an_image_without_its_end_is_truncated(kind: str, share: float) -> None:
    whole = encoded(size=(120, 90), kind=kind)
    truncated = whole[: int(len(whole) * share)]
    probe(truncated, Limits())
    with pytest.raises(Refusal) as caught:
        decode(truncated, 1)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("seed", range(90))
def test_random_damage_gives_pixels_or_a_refusal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000")
    kind = kinds[seed % len(kinds)]
    content = bytearray(encoded(seed, (40, 30), kind))
    for position in rng.integers(0, len(content), 12):
        content[position] = rng.integers(256)
    outcome = None
    try:
        header = probe(bytes(content), Limits())
        pixels = decode(bytes(content), header.orientation)
    except Refusal as refusal:
        outcome = refusal.reason
    else:
        assert pixels.shape == (header.height, header.width, 3)
    assert outcome in {None, "unreadable", "truncated", "too-many-pixels", "too-small"}


def test_cmyk_is_decoded_as_pillow_does() -> None:
    ink = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 9, 4), np.uint8), "CMYK")
    content = saved(ink, "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(decode(content, 1), expected)


def test_grey_has_three_equal_channels() -> None:
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    for kind in ("JPEG", "PNG"):
        pixels = decode(saved(grey, kind), 1)
        assert pixels.shape == (8, 8, 3)
        assert (pixels == pixels[:, :, :1]).all()


def test_sixteen_bit_grey_keeps_its_upper_half() -> None:
    deep = np.random.default_rng(0).integers(0, 1 << 16, (6, 5), dtype=np.uint16)
    pixels = decode(saved(Image.fromarray(deep), "PNG"), 1)
    np.testing.assert_array_equal(pixels[:, :, 0], deep >> 8)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_pixels_are_white_and_half_ones_are_blended(kind: str) -> None:
    clear = np.zeros((4, 4, 4), np.uint8)  # black
    clear[2:, :, 3] = 255
    clear[1, :, 3] = 102  # 0.4
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decode(saved(Image.fromarray(clear), kind, **options), 1)
    assert pixels[:, 0, 0].tolist() == [255, 153, 0, 0]


def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((0, 0), 1)
    pixels = decode(saved(picture, "PNG", transparency=0), 1)
    assert pixels[0, 0].tolist() == [0, 0, 255]
    assert pixels[1, 1].tolist() == [255, 255, 255]


def test_the_fast_decoder_and_pillow_agree() -> None:
    content = encoded(9, (64, 48), quality=90)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.abs(decode(content, 1).astype(int) - expected).max() <= 1


@pytest.fixture
def row(tmp_path: Path) -> dict[str, Any]:
    write_images(tmp_path / "photos", ["a.jpg"])
    rows, _ = ingest(tmp_path / "scratch", tmp_path / "photos")
    return rows[0]


def test_the_image_of_a_row_has_the_size_of_the_row(row: dict[str, Any]) -> None:
    assert load_image(row).shape == (row["height"], row["width"], 3)


def test_a_packed_row_is_read_without_a_file(row: dict[str, Any]) -> None:
    packed = {**row, "content": read_content(row), "uri": "/nowhere"}
    np.testing.assert_array_equal(load_image(packed), load_image(row))


def test_a_missing_file_is_named(row: dict[str, Any]) -> None:
    Path(row["uri"]).unlink()
    with pytest.raises(SourceError, match=r"was in .*a\.jpg, which is gone: put it back"):
        read_content(row)


def make_source(kind: str, folder: Path) -> Path:
    """Two images by reference, 0.jpg the first, as a source of this kind."""
    pictures = {f"{n}.jpg": encoded(n) for n in range(2)}
    folder.mkdir()
    if kind == "tar":
        return write_tar(folder / "shard.tar", pictures)
    if kind == "parquet":
        table = pa.table({"jpg": list(pictures.values()), "caption": ["a", "b"]})
        pq.write_table(table, folder / "t.parquet", compression="none")
        return folder / "t.parquet"
    if kind == "tsv":
        lines = (f"{n}\t{b64encode(c).decode()}\n" for n, c in pictures.items())
        (folder / "t.tsv").write_text("".join(lines))
        (folder / "t_captions.tsv").write_text("".join(f"{n}\ta dog\n" for n in pictures))
        return folder / "t.tsv"
    place = folder / "images/val" if kind == "coco" else folder
    write_images(place, list(pictures))
    if kind == "coco":
        entries = [{"id": n, "file_name": name} for n, name in enumerate(pictures)]
        captions = {"images": entries, "annotations": []}
        write_json(folder / "annotations/captions_val.json", captions)
    if kind == "table of paths":
        (folder / "captions.csv").write_text("file_name,caption\n0.jpg,a\n1.jpg,b\n")
    return folder


KINDS = ["folder", "table of paths", "tar", "coco", "parquet", "tsv"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_replaced_by_another_of_its_size_is_refused(tmp_path: Path, kind: str) -> None:
    rows, _ = ingest(tmp_path / "scratch", make_source(kind, tmp_path / "source"))
    first, second = rows
    before = read_content(first)
    other = before[:-20] + bytes(1) + before[-19:]
    assert len(other) == len(before)
    path = Path(first["uri"])
    replaced = [b64encode(image) if kind == "tsv" else image for image in (before, other)]
    stored, times = path.read_bytes(), path.stat()
    assert replaced[0] in stored
    path.write_bytes(stored.replace(*replaced))
    if kind != "parquet":  # of which a process keeps rows while size and time are equal
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync and tar may do
    refused = f"{first['image_id']} in .* is not the image that was ingested.*--accept-changed"
    with pytest.raises(ChangedImageError, match=refused):
        load_image(first)
    assert load_image(second).shape == (8, 12, 3)


def test_a_copy_with_another_time_is_the_same_image(row: dict[str, Any]) -> None:
    os.utime(row["uri"], (1, 1))
    assert load_image(row).shape == (row["height"], row["width"], 3)


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x"])
def test_a_file_of_another_size_is_refused(row: dict[str, Any], change: Any) -> None:
    path = Path(row["uri"])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ChangedImageError, match="rc ingest with --accept-changed"):
        read_content(row)


def test_content_that_does_not_decode_is_refused_with_its_place(row: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"photos/a\.jpg in .* is unreadable"):
        load_image({**row, "content": bytes(row["num_bytes"])})


def test_an_image_of_a_gzipped_tar_cannot_be_read_without_packing(row: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"cannot be found again in .*: ingest with --pack"):
        read_content({**row, "member": "x.jpg"})


def test_an_offset_is_where_reading_begins(row: dict[str, Any]) -> None:
    path = Path(row["uri"])
    content = path.read_bytes()
    path.write_bytes(b"before" + content + b"after")
    assert read_content({**row, "offset": 6, "member": "x.jpg"}) == content


def test_a_refused_header_says_size_and_limit() -> None:
    with pytest.raises(Refusal) as caught:
        probe(encoded(size=(10, 12)), Limits(max_pixels=119))
    assert caught.value.detail == "10 x 12 is more than 119 pixels"
    with pytest.raises(Refusal) as caught:
        probe(encoded(size=(10, 12)), Limits(min_side=11))
    assert caught.value.detail == "10 x 12; sides of 11 at least"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"not a picture", "it begins with 6e6f742061207069"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is HEIC"),
        (b"<!DOCTYPE html><html>404</html>", "it is HTML"),
    ],
)
def test_unreadable_content_is_described_by_its_first_bytes(content: bytes, sentence: str) -> None:
    with pytest.raises(Refusal) as caught:
        probe(content, Limits())
    assert caught.value.detail == f"no image of a known format: {sentence}"


def test_a_jpeg_of_more_scans_than_an_encoder_writes_is_too_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = many_scans((40, 30), 30)
    assert probe(content, Limits()).width == 40
    monkeypatch.setattr(jpeg_scans, "_MOST_WORK", 100_000)
    with pytest.raises(Refusal, match="too-slow: its scans are so many"):
        probe(content, Limits())
