from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from schemas.quarantine import Reason
from stages.sources.record import Problem, Refusal
from stages.sources.tar_members import TarMember, tar_members
from tests.stages.sources.samples import write_tar

if TYPE_CHECKING:
    from pathlib import Path


def members_of(path: Path, **options: bool) -> list[TarMember]:
    items = tar_members(str(path), lambda name: name.endswith(".jpg"), **options)
    return [item for item in items if isinstance(item, TarMember)]


def problems_of(path: Path) -> list[Problem]:
    return [item for item in tar_members(str(path), bool) if isinstance(item, Problem)]


def header(name: str, **fields: object) -> bytes:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def test_members_of_a_plain_tar_are_read_when_asked_for_and_hold_nothing(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"./x.jpg": b"one", "d/y.txt": b"two"})
    members = members_of(path)
    assert [(m.name, m.held, m.load()) for m in members] == [
        ("x.jpg", 0, b"one"),
        ("d/y.txt", 0, b"two"),
    ]
    assert [path.read_bytes()[m.offset or 0 :][:3] for m in members] == [b"one", b"two"]


def test_of_a_compressed_tar_only_what_is_wanted_is_held(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"x.jpg": b"one", "y.npy": b"three"}, "w:gz")
    image, other = members_of(path)
    assert (image.offset, image.held, image.load()) == (None, 3, b"one")
    assert (other.offset, other.held) == (None, 0)
    with pytest.raises(Refusal, match="not read"):
        other.load()
    assert [member.held for member in members_of(path, with_content=False)] == [3, 0]


def test_a_folder_is_passed_over_and_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("d", tarfile.DIRTYPE), ("l.jpg", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            tar.addfile(info)
    assert [(p.record, p.reason) for p in problems_of(path)] == [("l.jpg", Reason.UNSAFE_NAME)]


def test_control_characters_of_a_name_are_shown_as_numbers(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"\x1b[31mx.jpg": b""})
    assert [p.record for p in problems_of(path)] == ["\\x1b[31mx.jpg"]


def test_a_sparse_file_is_refused_with_its_true_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(header("x.jpg", type=tarfile.GNUTYPE_SPARSE) + bytes(10240))
    assert [(p.record, p.reason) for p in problems_of(path)] == [("x.jpg", Reason.UNREADABLE)]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "the file is empty"),
        (b"no tar" * 200, "damaged"),
        (header("x.jpg") + b"?" * 512, "no header where one should be"),
        (header("x.jpg"), "no end mark"),
        (header("x.jpg") + bytes(10240) + b"?" * 512, "what follows the end mark at byte 10752"),
    ],
)
def test_damage_is_told_as_what_it_is(tmp_path: Path, content: bytes, detail: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    (problem,) = problems_of(path)
    assert (problem.record, problem.reason) == ("", Reason.TRUNCATED_TAR)
    assert detail in problem.detail


def test_headers_of_hostile_makers_end_the_reading(tmp_path: Path) -> None:
    negative = header("x.jpg", size=-1024)
    chain = header("pax", type=tarfile.XGLTYPE) * 3000  # tarfile reads each inside the one before
    huge = header("pax", type=tarfile.XHDTYPE, size=1 << 33)
    for number, content in enumerate((negative, chain, huge)):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(content + bytes(10240))
        assert [p.reason for p in problems_of(path)][-1:] == [Reason.TRUNCATED_TAR]


def test_a_compressed_tar_cut_short_gives_what_came_before(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("x.jpg")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"one"))
        info = tarfile.TarInfo("y.jpg")
        info.size = 2000
        tar.addfile(info, io.BytesIO(b"2" * 2000))
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(out.getvalue()[:2000]))
    first, second = members_of(path)
    assert first.load() == b"one"
    with pytest.raises(Refusal, match="the tar ends after 464 of 2000 bytes"):
        second.load()


@pytest.mark.parametrize("cut", [1, 8, 12])
def test_a_compressed_tar_that_breaks_off_after_its_end_mark_is_reported(
    tmp_path: Path, cut: int
) -> None:
    path = write_tar(tmp_path / "a.tar", {"x.jpg": b"one"}, "w:gz")
    path.write_bytes(path.read_bytes()[:-cut])
    assert [member.load() for member in members_of(path)] == [b"one"]
    assert [problem.reason for problem in problems_of(path)] == [Reason.TRUNCATED_TAR]
