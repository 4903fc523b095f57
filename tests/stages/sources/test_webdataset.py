from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.pixels import load_image
from stages.sources.files import IMAGE_SUFFIXES
from stages.sources.record import LeftOut, Problem, Record
from stages.sources.webdataset import WebDatasetSource
from stages.sources.webdataset_names import is_photograph, kind_left_out, split_name
from tests.stages.sources.samples import (
    encoded,
    ids,
    ingest,
    reasons,
    shared_data,
    write_tar,
)


def left_out(tar: Path) -> dict[str, int]:
    """What a tar holds that becomes neither a row nor a quarantine row, counted by kind."""
    source = WebDatasetSource((str(tar),))
    counts: Counter[str] = Counter()
    for item in source.records(source.slices()[0]):
        if isinstance(item, LeftOut):
            counts[item.kind] += item.count
    return dict(counts)


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


def test_the_key_ends_at_the_first_dot_of_the_base_name(tmp_path: Path) -> None:
    members = {
        "s0.input.jpg": encoded(1),
        "s0.outputs.txt": b"one",
        "v1.2/s1.input.jpg": encoded(2),
        "v1.2/s1.outputs.txt": b"two",
    }
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert [(row["image_id"], row["captions"]) for row in rows] == [
        ("a/s0", ["one"]),
        ("a/v1.2/s1", ["two"]),
    ]
    assert refused == []


def test_several_photographs_of_one_key_have_ids_and_captions_of_their_own(tmp_path: Path) -> None:
    members = {"x.1.jpg": encoded(1), "x.1.txt": b"one", "x.2.jpg": encoded(2), "x.2.txt": b"two"}
    rows, _ = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert [(row["image_id"], row["captions"]) for row in rows] == [
        ("a/x.1", ["one"]),
        ("a/x.2", ["two"]),
    ]


def test_a_caption_that_may_be_of_several_photographs_is_of_none(tmp_path: Path) -> None:
    members = {"x.0.jpg": encoded(1), "x.1.jpg": encoded(2), "x.txt": b"two views"}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert [(row["image_id"], row["captions"]) for row in rows] == [("a/x.0", []), ("a/x.1", [])]
    assert reasons(refused) == [("a/x.txt", "ambiguous-name")]


def test_masks_and_other_members_of_a_key_are_counted_and_not_read(tmp_path: Path) -> None:
    members = {
        "x.jpg": encoded(1),
        "x.seg.png": encoded(2, kind="PNG"),
        "x.mask_01.png": encoded(3, kind="PNG"),
        "x.cls": b"7",
        "x.txt": b"one",
        "LICENSE": b"free",
        "x.json": b'{"width": 12}',
    }
    tar = write_tar(tmp_path / "a.tar", members)
    rows, refused = ingest(tmp_path / "s", tar)
    assert [(row["member"], row["captions"]) for row in rows] == [("x.jpg", ["one"])]
    assert refused == []
    assert left_out(tar) == {
        ".seg.png member": 1,
        ".mask.png member": 1,
        ".cls member": 1,
        "member of no suffix": 1,
        ".json member of no caption": 1,
    }


def test_files_of_macos_do_not_come_between_an_image_and_its_caption(tmp_path: Path) -> None:
    members = {
        "./._000.jpg": b"\0\5\x16\7",
        "./000.jpg": encoded(),
        "./._000.txt": b"\0\5\x16\7",
        "./000.txt": b"a dog",
        "__MACOSX/000.jpg": encoded(),
        "./.DS_Store": b"x",
    }
    tar = write_tar(tmp_path / "a.tar", members)
    rows, refused = ingest(tmp_path / "s", tar)
    assert [(row["image_id"], row["captions"]) for row in rows] == [("a/000", ["a dog"])]
    assert refused == []
    assert left_out(tar) == {"._ member of macOS": 3, "hidden member": 1}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_of_a_key_need_not_be_adjacent(tmp_path: Path, mode: str) -> None:
    images = {f"{n}.jpg": encoded(n) for n in range(4)}
    texts = {f"{n}.txt": f"caption {n}".encode() for n in range(4)}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", {**images, **texts}, mode))
    assert [(row["image_id"], row["captions"]) for row in rows] == [
        (f"a/{n}", [f"caption {n}"]) for n in range(4)
    ]
    assert refused == []


def test_what_comes_after_the_window_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.sources.webdataset_keys.WINDOW_BYTES", 3000)
    members = {**{f"{n}.jpg": encoded(n) for n in range(4)}, "0.txt": b"late", "3.txt": b"near"}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert [row["captions"] for row in rows] == [[], [], [], ["near"]]
    assert reasons(refused) == [("a/0", "unknown-image")]
    assert "sort the tar by name" in refused[0][2]


def test_a_sample_that_comes_twice_is_refused_once_and_its_captions_stay_apart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for seed, caption in ((1, b"one"), (2, b"two")):
            add(tar, "x.jpg", encoded(seed))
            add(tar, "x.txt", caption)
    rows, refused = ingest(tmp_path / "s", path)
    assert [row["captions"] for row in rows] == [["one"]]
    assert reasons(refused) == [("a/x", "duplicate-id")]


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.bz2", "a.tar.zst"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_compressed_as_its_first_bytes_say(tmp_path: Path, name: str, mode: str) -> None:
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / name, pair("x", 1), mode))
    assert (ids(rows), rows[0]["captions"], refused) == (["a/x"], ["a dog"], [])
    assert (rows[0]["offset"] is None) == (mode != "w")
    assert load_image(rows[0]).shape == (8, 12, 3)


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_folders_and_letters_of_any_alphabet_are_read(
    tmp_path: Path, tar_format: int
) -> None:
    keys = ["v1.0/22", f"{'d' * 90}/{'n' * 150}", "Stra\u00dfe/\u00f1and\u00fa 01", "a/b/c/1"]
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tar_format) as tar:
        for seed, key in enumerate(keys):
            add(tar, f"./{key}.05.JPG", encoded(seed))
            add(tar, f"{key}.05.txt", key.encode())
    rows, refused = ingest(tmp_path / "s", path)
    assert {row["image_id"]: row["captions"] for row in rows} == {f"a/{k}": [k] for k in keys}
    assert refused == []
    for row in rows:
        raw = path.read_bytes()[row["offset"] : row["offset"] + row["num_bytes"]]
        assert raw == encoded(keys.index(row["captions"][0]))


def test_tars_without_images_are_named_and_the_good_one_is_read(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", {})
    write_tar(tmp_path / "1.tar", pair("a"))
    write_tar(tmp_path / "2.tar", {"b.txt": b"alone"})
    (tmp_path / "3.tar").write_bytes(b"")
    (tmp_path / "4.tar").write_bytes(b"PK\x03\x04 and so on")
    rows, refused = ingest(tmp_path / "s", tmp_path)
    assert ids(rows) == ["1/a"]
    assert reasons(refused) == [
        ("0", "missing-image"),
        ("2/b", "unknown-image"),
        ("2", "missing-image"),
        ("3", "truncated-tar"),
        ("4", "unreadable"),
    ]
    assert "it is a zip archive" in refused[-1][2]


def test_a_tar_that_was_appended_to_another_is_read_too(tmp_path: Path) -> None:
    first = write_tar(tmp_path / "1.tar", pair("x", 1)).read_bytes()
    second = write_tar(tmp_path / "2.tar", pair("y", 2)).read_bytes()
    both = tmp_path / "both" / "a.tar"
    both.parent.mkdir()
    both.write_bytes(first + second)
    rows, refused = ingest(tmp_path / "s", both)
    assert (ids(rows), refused) == (["a/x", "a/y"], [])
    assert load_image(rows[1]).shape == (8, 12, 3)


def test_each_suffix_of_images_is_that_of_a_photograph(tmp_path: Path) -> None:
    members = {f"{n}{suffix}": encoded(n) for n, suffix in enumerate(IMAGE_SUFFIXES)}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert {row["member"] for row in rows} == set(members)
    assert refused == []


def test_an_image_that_cannot_be_decoded_is_refused_by_name(tmp_path: Path) -> None:
    members = {"x.heic": b"\0\0\0\x18ftypheic", "x.txt": b"a dog"}
    members |= {"y.cr2": b"raw", "y.jpg": encoded()}
    rows, refused = ingest(tmp_path / "s", write_tar(tmp_path / "a.tar", members))
    assert ids(rows) == ["a/y"]
    assert reasons(refused) == [("a/x", "unreadable"), ("a/y", "duplicate-id")]
    assert "y.cr2" in refused[1][2]


def test_a_missing_number_among_the_tars_is_said(tmp_path: Path) -> None:
    paths = [write_tar(tmp_path / f"0000{n}.tar", pair("a")) for n in (0, 2)]
    remarks = WebDatasetSource(tuple(map(str, paths))).inventory().remarks
    assert remarks == ("1 tar is missing between 00000 and 00002: 00001",)
    with pytest.raises(SourceError, match=r"no file or folder .*00001\.tar"):
        ingest(tmp_path / "s", tmp_path / "{00000..00002}.tar")


def test_a_remote_tar_is_read_as_it_passes_by(tmp_path: Path) -> None:
    content = write_tar(tmp_path / "a.tar", {**pair("x", 1), **pair("y", 2)}).read_bytes()
    with fsspec.open("memory://far/a.tar", "wb") as file:
        file.write(content)
    rows, refused = ingest(tmp_path / "s", "memory://far/a.tar")
    assert (ids(rows), refused) == (["a/x", "a/y"], [])
    assert load_image(rows[1]).shape == (8, 12, 3)


def test_images_of_a_gzip_tar_are_packed(tmp_path: Path) -> None:
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
    assert reasons(refused) == [("a/x", "unknown-image")]


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


MEMBER_NAMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "d.1/", ".h/", "__MACOSX/", "../", "./"]),
    st.sampled_from(["x", "y", "._x", "z.input", "x.seg", "x.0", "\x1b[31m"]),
    st.sampled_from([".jpg", ".PNG", ".txt", ".json", ".cls", ".heic", "", ".cap"]),
)
CONTENTS = st.sampled_from([b"", b"a dog", encoded(), b'{"caption": "a cat"}', b"\xff", b"{"])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    members=st.lists(st.tuples(MEMBER_NAMES, CONTENTS), max_size=12),
    mode=st.sampled_from(["w", "w:gz"]),
    window=st.sampled_from([2000, 128 << 20]),
)
def test_each_member_of_a_tar_is_in_a_record_a_problem_or_a_count(
    members: list[tuple[str, bytes]], mode: str, window: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.sources.webdataset_keys.WINDOW_BYTES", window)
        path = Path(folder, "t.tar")
        with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
            for name, content in members:
                add(tar, name, content)
        source = WebDatasetSource((str(path),))
        (part_slice,) = source.slices()
        items = list(source.records(part_slice))
    records = [item for item in items if isinstance(item, Record)]
    assert source_total(members, mode, window) == len(records)
    photographs = [name for name, _ in members if is_accepted(name) and is_photograph(name)]
    kinds = [kind_left_out(name.removeprefix("./")) for name, _ in members if is_accepted(name)]
    assert len(records) == sum(
        kind_left_out(name.removeprefix("./")) is None for name in photographs
    )
    counted = sum(item.count for item in items if isinstance(item, LeftOut))
    blank = sum(
        item.count
        for item in items
        if isinstance(item, LeftOut) and item.kind.endswith("of no caption")
    )
    assert counted - blank == sum(kind is not None for kind in kinds)
    problems = [item for item in items if isinstance(item, Problem)]
    unsafe = sum(problem.reason == Reason.UNSAFE_NAME for problem in problems)
    assert unsafe == sum(not is_accepted(name) for name, _ in members)
    assert captions_accounted(items) >= captions_written(members)


def is_accepted(name: str) -> bool:
    return ".." not in name and "\x1b" not in name


def source_total(members: list[tuple[str, bytes]], mode: str, window: int) -> int:
    """Images as `count` and `total` have them, which must agree."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.sources.webdataset_keys.WINDOW_BYTES", window)
        path = Path(folder, "t.tar")
        with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
            for name, content in members:
                add(tar, name, content)
        source = WebDatasetSource((str(path),))
        assert source.count(source.slices()[0]) == source.total()
        return source.count(source.slices()[0])


def captions_written(members: list[tuple[str, bytes]]) -> set[str]:
    """Keys and suffixes of members that hold, or should hold, captions."""
    names = (name.removeprefix("./") for name, _ in members if is_accepted(name))
    return {
        split_name(name).key
        for name in names
        if kind_left_out(name) is None and not is_photograph(name)
    }


def captions_accounted(items: list[Record | Problem | LeftOut]) -> set[str]:
    """Keys of which a caption is in a record or a problem; all of them if any was blank."""
    named: set[str] = set()
    for item in items:
        if isinstance(item, LeftOut):
            named |= EVERY_KEY if item.kind.endswith("of no caption") else set()
        elif isinstance(item, Problem):
            named.add(split_name(item.record.removeprefix("t/")).key)
        else:
            texts = bool(item.captions or item.problems)
            named |= {split_name(item.image_id.removeprefix("t/")).key} if texts else set()
    return named


EVERY_KEY = {f"{folder}{key}" for folder in ("", "d.1/") for key in ("x", "y", "z")}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_tar_with_bytes_changed_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([PLAIN_TAR, PAX_TAR, GZIP_TAR])))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.tar")
        path.write_bytes(content)
        rows, refused = ingest(Path(folder, "s"), path)
    assert all(row["image_id"].startswith("t/") for row in rows)
    assert rows or refused


def tar_bytes(tar_format: int, mode: str = "w") -> bytes:
    """A small tar of long and short names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tar_format) as tar:  # type: ignore[call-overload]
        for name in ("x", "\u00e9" * 120):
            add(tar, f"{name}.jpg", encoded())
            add(tar, f"{name}.txt", b"a dog")
    return out.getvalue()


PLAIN_TAR = tar_bytes(tarfile.GNU_FORMAT)
PAX_TAR = tar_bytes(tarfile.PAX_FORMAT)
GZIP_TAR = tar_bytes(tarfile.PAX_FORMAT, "w:gz")


@pytest.mark.slow
def test_memory_is_that_of_the_window_however_many_members_a_tar_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.sources.webdataset_keys.WINDOW_BYTES", 64 << 10)
    peaks = []
    for count in (300, 3000):
        members = {f"{n}.txt": b"x" for n in range(count)}
        source = WebDatasetSource((str(write_tar(tmp_path / f"{count}.tar", members)),))
        tracemalloc.start()
        assert all(isinstance(item, Problem) for item in source.records(source.slices()[0]))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
