"""Damage: a store whose files change by themselves, and what its readers say."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from typing import TYPE_CHECKING, Final

from benchmarks.reliability.comparison import content_of
from benchmarks.reliability.damage_kinds import KINDS
from benchmarks.reliability.forked import rc, warm
from benchmarks.reliability.section import Count
from benchmarks.reliability.small_store import done, make_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.reliability.damage_kinds import Kind, Words
    from benchmarks.reliability.forked import End

    Answer = tuple[str, dict[str, str]]  # what a command printed; hashes of the files it made

TITLE = "Damage"
ABOUT = (
    "A file of a store gets a flipped bit, 64 zero bytes, loses its last byte or its second half, "
    "or is replaced by another of its kind; half of the times its time of modification stays as it "
    "was. A new process then reads it. What a manifest lists must be refused with one sentence "
    "that names the file, a manifest or record must be named, and a cache or the receipt of a part "
    "must be made again: the answer is that of the undamaged store."
)
_TIMES: Final = 13  # cases of each kind of file
_ZEROS: Final = 64  # bytes
_HARMS: Final = ("a flipped bit", "zero bytes", "a byte less", "half", "another file")


def trials(folder: Path, *, short: bool) -> dict[str, Count]:
    """Try the cases of each kind of file; see `section.Section`."""
    warm(("stages.train", "stages.evaluate", "stages.finetune", "stages.detect"))
    make_store(folder, short=short)
    bench = _Bench(folder)
    counts = {}
    for name, kind in KINDS.items():
        if paths := bench.matching(kind.files, unfinished=kind.unfinished):
            counts[name] = Count()
            for number in range(1 if short else _TIMES):
                rng = random.Random(f"{name} {number}")
                bench.try_one(counts[name], kind, rng.choice(paths), rng)
    return counts


class _Bench:
    """An undamaged store, a copy for each case, and answers of the undamaged one."""

    def __init__(self, folder: Path) -> None:
        self._good, self._copy = folder / "good", folder / "store"
        self._copy.rename(self._good)
        self._out = folder / "out"
        self._answers: dict[Words, Answer] = {}

    def matching(self, patterns: tuple[str, ...], *, unfinished: bool = False) -> list[Path]:
        """Files of the undamaged store that match a pattern, of finished runs or of others."""
        return [
            path
            for pattern in patterns
            for path in sorted(self._good.glob(pattern))
            if (self._folder(path) / "manifest.json").exists() != unfinished
        ]

    def try_one(self, count: Count, kind: Kind, path: Path, rng: random.Random) -> None:
        """Damage a file of a copy, and read it."""
        table, folder = path.relative_to(self._good).parts[:2]
        view = table if path.name.startswith("part-") else path.name.partition(".")[0]
        fill = {"table": table, "address": f"{table}/{folder}", "out": self._out, "view": view}
        words = tuple(str(word).format(**fill) for word in rng.choice(kind.readers))
        harm = rng.choice(_HARMS)
        if words not in self._answers:
            self._renew()
            self._answers[words] = self._answer(done(rc(*words, "--store", self._copy)))
        self._renew()
        damaged = self._copy / path.relative_to(self._good)
        others = [p for p in self.matching(kind.like or kind.files) if p != path]
        content = _harmed(path.read_bytes(), harm, others, rng)
        keep_time = rng.random() < 0.5  # as if the disk had changed it
        _replace(damaged, content, path.stat().st_mtime_ns if keep_time else None)
        with count.case(f"{damaged.relative_to(self._copy)}, {harm}, rc {' '.join(words)}"):
            end = rc(*words, "--store", self._copy)
            _judge(kind.must, end, damaged, lambda: self._answer(end) == self._answers[words])

    def _renew(self) -> None:
        """A copy of the undamaged store, of links; whoever writes replaces them."""
        for leftover in (self._copy, self._out):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            leftover.unlink(missing_ok=True)
        shutil.copytree(self._good, self._copy, copy_function=os.link)

    def _answer(self, end: End) -> Answer:
        made = [
            path
            for top in (self._copy, self._out)
            for path in [top, *top.rglob("*")]
            if path.is_file() and not self._was_there(path)
        ]
        hashes = {str(path): hashlib.sha256(content_of(path)).hexdigest() for path in made}
        return end.out, hashes

    def _was_there(self, path: Path) -> bool:
        """Whether a file is of an artifact that was finished, or one of those that may differ."""
        if path.suffix in (".faiss", ".lock") or path.name == "recency.json":
            return True
        if not path.is_relative_to(self._copy):
            return False
        return (self._good / self._folder(path).relative_to(self._copy) / "manifest.json").exists()

    def _folder(self, path: Path) -> Path:
        """Folder of the artifact or run that a file belongs to."""
        top = self._good if path.is_relative_to(self._good) else self._copy
        return top.joinpath(*path.relative_to(top).parts[:2])


def _harmed(content: bytes, harm: str, others: list[Path], rng: random.Random) -> bytes:
    """The content of a file after damage of a kind; never what it was."""
    changed = bytearray(content)
    if harm == "a byte less":
        return content[:-1]
    if harm == "half":
        return content[: len(content) // 2]
    if harm == "another file" and (unequal := [p for p in others if p.read_bytes() != content]):
        return rng.choice(unequal).read_bytes()
    if harm == "zero bytes":
        places = [rng.randrange(len(content)) for _ in range(100)]
        place = next(p for p in places if any(content[p : p + _ZEROS]))
        changed[place : place + _ZEROS] = bytes(len(changed[place : place + _ZEROS]))
        return bytes(changed)
    changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _replace(path: Path, content: bytes, time_ns: int | None) -> None:
    """Give a file other content, and the time of now or another; nobody has hashed it yet."""
    path.unlink()
    path.write_bytes(content)
    if time_ns is not None:
        os.utime(path, ns=(time_ns, time_ns))


def _judge(must: str, end: End, damaged: Path, is_equal: Callable[[], bool]) -> None:
    """Pass if a command did what it must; see `Kind`.

    Raises:
        AssertionError: If not; says why.
    """
    said = f"{end.out}\n{end.err}"
    assert "Traceback" not in said, end.err[-800:]
    assert end.code in (0, 1, 3), f"exit code {end.code}: {end.err[-800:]}"
    named = damaged.name in said and damaged.parent.name in said
    if must == "rebuilt":
        assert end.code != 1, end.err[-800:]
        assert is_equal(), "another answer"
    elif must == "refused":
        assert end.code == 1, f"another answer: {not is_equal()}"
        assert named, f"the file is not named: {end.err[-800:]}"
        assert end.err.count("error: ") == 1, f"not one sentence: {end.err[-800:]}"
    else:
        assert named or (not end.code and is_equal()), f"the file is not named: {said[-800:]}"
