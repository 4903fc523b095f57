from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.pixels import load_image
from stages.sources.record import Problem, Record
from stages.sources.webdataset import WebDatasetSource
from tests.stages.sources.samples import (
    encoded,
    ids,
    ingest,
    reasons,
    shared_data,
    write_tar,
)

if TYPE_CHECKING:
    from pathlib import Path


def pair(key: str, seed: int = 0, caption: str = "a dog") -> dict[str, bytes]:
    return {
        f"{key}.jpg": encoded(seed),
        f"{key}.txt": caption.encode(),
        f"{key}.json": json.dumps({"caption": caption, "url": "x"}).encode(),
    }


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))


def test_image_and_captions_of_one_key_are_one_row(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "00000.tar", {**pair("000", 1), **pair("001", 2, "two cats")})
    rows, refused = ingest(tmp_path / "s", tar)
    assert ids(rows) == ["00000/000", "00000/001"]
    assert [row["captions"] for row in rows] == [["a dog"], ["two cats"]]
    assert {row["source"] for row in rows} == {"webdataset"}
    assert refused == []


def test_the_offset_is_where_the_image_begins_in_the_tar(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {**pair("x", 1), **pair("y", 2)})
    rows, _ = ingest(tmp_path / "s", tar)
    for seed, row in enumerate(rows, 1):
        raw = tar.read_bytes()[row["offset"] : row["offset"] + row["num_bytes"]]
        assert raw == encoded(seed)
        assert load_image(row).shape == (8, 12, 3)


def test_each_tar_is_a_part(tmp_path: Path) -> None:
    for name in ("00", "01", "02"):
        write_tar(tmp_path / f"{name}.tar", pair("k"))
    for source in (tmp_path, tmp_path / "*.tar", tmp_path / "{00..02}.tar"):
        rows, _ = ingest(tmp_path / "s", source)
        assert ids(rows) == ["00/k", "01/k", "02/k"]


def test_tars_of_the_same_name_get_the_names_of_their_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_tar(tmp_path / folder / "0.tar", pair("k"))
    rows, _ = ingest(tmp_path / "s", tmp_path / "a/0.tar", tmp_path / "b/0.tar")
    assert ids(rows) == ["a/0/k", "b/0/k"]


def test_only_the_last_suffix_of_a_name_is_not_part_of_the_key(tmp_path: Path) -> None:
    members = {"x.1.jpg": encoded(1), "x.1.txt": b"one", "x.2.jpg": encoded(2), "x.2.txt": b"two"}
    rows, _ = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert [(row["image_id"], row["captions"]) for row in rows] == [
        ("a/x.1", ["one"]),
        ("a/x.2", ["two"]),
    ]


def test_images_of_a_gis_gzip_tar_are_packed(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar.gz", {**pair("x", 1), **pair("y", 2)}, "w:gz")
    rows, refused = ingest(tmp_path / "s", tar)
    assert [row["offset"] for row in rows] == [None, None]
    assert [row["content"] for row in rows] == [encoded(1), encoded(2)]
    assert refused == []


def test_unsafe_members_are_refused_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "../evil.jpg", encoded())
        add(tar, "/etc/evil.jpg", encoded())
        add(tar, "link.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(tar, "hard.jpg", type=tarfile.LNKTYPE, linkname="good.jpg")
        add(tar, "device.jpg", type=tarfile.CHRTYPE)
        add(tar, "pipe.jpg", type=tarfile.FIFOTYPE)
        add(tar, "good.jpg", encoded())
    rows, refused = ingest(tmp_path / "s", path)
    assert ids(rows) == ["a/good"]
    assert reasons(refused) == [
        (f"a/{name}.jpg", "unsafe-name")
        for name in ("../evil", "/etc/evil", "link", "hard", "device", "pipe")
    ]
    assert not (tmp_path.parent / "evil.jpg").exists()


def test_a_name_that_is_not_utf8_is_refused_in_printable_form(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        add(tar, "caf\udce9.jpg", encoded())
        add(tar, "b.jpg", encoded())
    rows, refused = ingest(tmp_path / "s", path)
    assert ids(rows) == ["a/b"]
    assert refused[0][1] == "unsafe-name"
    refused[0][0].encode()


def test_pickles_are_ignored(tmp_path: Path) -> None:
    boom = b"cos\nsystem\n(S'touch pwned'\ntR."
    members = {"x.jpg": encoded(), "x.pkl": boom, "x.pth": boom, "x.pyd": boom}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert (ids(rows), refused) == (["a/x"], [])


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize("missing", [1, 300, 700, 1500])
def test_a_truncated_tar_keeps_what_came_before_the_damage(
    tmp_path: Path, missing: int, is_gzip: bool
) -> None:
    members = {f"{n}.jpg": encoded(n) for n in range(4)}
    whole = write_tar(tmp_path / "whole.tar", members).read_bytes()
    with tarfile.open(tmp_path / "whole.tar") as tar:
        last = tar.getmembers()[-1]
        end = last.offset_data + last.size
    path = tmp_path / ("a.tar.gz" if is_gzip else "a.tar")
    truncated = whole[: end - missing]
    path.write_bytes(gzip.compress(truncated) if is_gzip else truncated)
    rows, refused = ingest(tmp_path / "s", path)
    assert 2 <= len(rows) <= 3
    assert ids(rows) == [f"a/{n}" for n in range(len(rows))]
    assert [reason for _, reason in reasons(refused)].count("truncated-tar") == 1


def test_a_gzip_stream_cut_short_keeps_what_came_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    members = {f"{n}.txt": rng.bytes(5000).hex().encode() for n in range(4)}
    members = {"a.jpg": encoded(), **members}
    path = write_tar(tmp_path / "a.tar.gz", members, "w:gz")
    path.write_bytes(path.read_bytes()[:-9000])
    rows, refused = ingest(tmp_path / "s", path)
    assert ids(rows) == ["a/a"]
    assert "truncated-tar" in [reason for _, reason in reasons(refused)]


def test_a_tar_without_its_end_mark_is_reported(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with tarfile.open(path) as tar:
        info = tar.getmembers()[0]
    path.write_bytes(path.read_bytes()[: info.offset_data + (info.size + 511) // 512 * 512])
    rows, refused = ingest(tmp_path / "s", path)
    assert ids(rows) == ["a/x"]
    assert reasons(refused) == [("a", "truncated-tar")]


@pytest.mark.parametrize("content", [b"", b"not a tar at all" * 100, bytes(100)])
def test_a_file_that_is_not_a_tar_is_one_refusal(tmp_path: Path, content: bytes) -> None:
    good = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    (tmp_path / "b.tar").write_bytes(content)
    rows, refused = ingest(tmp_path / "s", good, tmp_path / "b.tar")
    assert ids(rows) == ["a/x"]
    assert reasons(refused) == [("b", "truncated-tar")]


def test_a_member_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x.jpg")
    info.size = 1 << 42
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + encoded())
    rows, refused = ingest(tmp_path / "s", path)
    assert rows == []
    assert ("a/x", "too-large") in reasons(refused)


def test_captions_without_an_image_are_refused(tmp_path: Path) -> None:
    members = {"x.txt": b"no image", **pair("y")}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert ids(rows) == ["a/y"]
    assert reasons(refused) == [("a/x", "missing-image")]


def test_a_second_image_of_one_key_is_a_duplicate(tmp_path: Path) -> None:
    members = {"x.jpg": encoded(1), "x.png": encoded(2, kind="PNG")}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert [row["format"] for row in rows] == ["JPEG"]
    assert reasons(refused) == [("a/x", "duplicate-id")]


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("x.txt", b"\xff\xfe not utf-8"),
        ("x.json", b"{broken"),
        ("x.json", b'{"caption": 7}'),
        ("x.json", b'{"caption": "\\ud800"}'),
        ("x.json", b"[" * 100_000),
    ],
)
def test_a_bad_caption_is_refused_and_the_image_stays(
    tmp_path: Path, name: str, payload: bytes
) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded(), name: payload})
    rows, refused = ingest(tmp_path / "s", tar)
    assert [row["captions"] for row in rows] == [[]]
    assert reasons(refused) == [(f"a/{name}", "bad-caption")]


def test_a_caption_of_a_hundred_thousand_characters_is_kept(tmp_path: Path) -> None:
    long = "a very long day " * 6250
    tar = write_tar(tmp_path / "a.tar", pair("x", caption=long))
    rows, _ = ingest(tmp_path / "s", tar)
    assert rows[0]["captions"] == [long.strip()]


def test_a_limit_counts_images_across_tars(tmp_path: Path) -> None:
    for name in ("0", "1", "2"):
        write_tar(tmp_path / f"{name}.tar", {**pair("b", 1), **pair("a", 2)})
    rows, _ = ingest(tmp_path / "s", tmp_path, limit=3)
    assert ids(rows) == ["0/a", "0/b", "1/b"]  # the first of the second tar is b


def test_the_count_equals_the_number_of_records_even_in_a_damaged_tar(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {**pair("x"), **pair("y"), "z.jpg": encoded()})
    path.write_bytes(path.read_bytes()[: -10240 + 300])
    source = WebDatasetSource((str(path),))
    (part_slice,) = source.slices()
    records = [item for item in source.records(part_slice) if isinstance(item, Record)]
    assert source.count(part_slice) == len(records) == source.total()


def test_the_digest_depends_on_content_and_name_not_on_the_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    here = write_tar(tmp_path / "a.tar", pair("x"))
    there = write_tar(tmp_path / "deep/a.tar", pair("x"))
    other = write_tar(tmp_path / "deep/b.tar", pair("x"))
    assert WebDatasetSource((str(here),)).digest() == WebDatasetSource((str(there),)).digest()
    assert WebDatasetSource((str(here),)).digest() != WebDatasetSource((str(other),)).digest()


def test_real_tars_of_photographs_are_read(tmp_path: Path) -> None:
    tars = shared_data("clip_embeddings", "webdataset")
    rows, refused = ingest(tmp_path / "s", tars)
    assert (len(rows), refused) == (11, [])
    assert {f"{row['width']}_{row['height']}" for row in rows} == {
        row["image_id"].split("/")[1] for row in rows
    }


@pytest.mark.slow
def test_memory_does_not_grow_with_the_members_of_a_tar(tmp_path: Path) -> None:
    peaks = []
    for count in (100, 2000):
        members = {f"{n}.txt": b"x" for n in range(count)}
        source = WebDatasetSource((str(write_tar(tmp_path / f"{count}.tar", members)),))
        tracemalloc.start()
        assert all(isinstance(item, Problem) for item in source.records(source.slices()[0]))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
