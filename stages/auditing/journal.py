"""The journal: what people say of labels, appended one line each, on the disk when it is told.

A line is JSON: a judgement of one label, as in an audit, or marks of many, which are whole or not
there. A write that was cut off leaves a line that cannot be read, which was never told to
be there; the next one begins on a new line. What is appended is never edited: who changes their
mind appends again, and who takes it back appends "undo".
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import ArtifactError, OptionError
from schemas.reviews import VERDICTS
from stages.auditing.verdicts import keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

UNDO: Final = "undo"
MOST_MARKED: Final = 200_000  # labels of one action
_LONGEST: Final = 200  # characters of a name


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What one person says of one label.

    Attributes:
        id: Of this judgement; told again with the same, it counts once.
        image_id: As in images.
        region: As in proposals.
        concept_id: What was judged.
        verdict: One of `schemas.reviews.VERDICTS`, or `UNDO`.
        concept: What it is, if said.
        reviewer: Who; may be empty.
        time: When, ISO 8601 with a zone.
    """

    id: str
    image_id: str
    region: int
    concept_id: int
    verdict: str
    concept: str | None = None
    reviewer: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        """Check every value; they come from browsers and files.

        Raises:
            OptionError: If one is not what it should be.
        """
        texts = (self.id, self.image_id, self.reviewer, self.time, self.concept or "")
        numbers = (self.region, self.concept_id)
        if (
            not all(isinstance(text, str) and _encodes(text) for text in texts)
            or not all(type(n) is int and 0 <= n < 1 << 31 for n in numbers)
            or self.verdict not in (*VERDICTS, UNDO)
            or not 0 < len(self.id) <= _LONGEST
            or any(len(text) > _LONGEST or not text.isprintable() for text in texts[2:])
        ):
            raise OptionError(
                f"a judgement has an id, image_id, region, concept_id, and a verdict "
                f"({', '.join((*VERDICTS, UNDO))}); concept and reviewer are short texts"
            )
        if self.time:
            _when(self.time)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What one person says of many labels at once, or that they take back such an action.

    Attributes:
        id: Of this action; told again with the same, it counts once.
        of: Address of the pseudo-labels; all marks of a journal have one.
        labels: image_id, region and concept_id of each; none if something is taken back.
        verdict: One of `schemas.reviews.VERDICTS`, or `UNDO`.
        concept: What all of them are, if said.
        reviewer: Who; may be empty.
        takes_back: Id of an earlier action of the reviewer, with `UNDO`.
        time: When, ISO 8601 with a zone.
    """

    id: str
    of: str
    labels: Sequence[tuple[str, int, int]]
    verdict: str
    concept: str | None = None
    reviewer: str = ""
    takes_back: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        """Check every value, each label as a judgement of it.

        Raises:
            OptionError: If one is not what it should be.
        """
        backs = self.verdict == UNDO
        if (
            not all(isinstance(text, str) and text.isprintable() for text in (self.of, self.id))
            or not isinstance(self.labels, (list, tuple))
            or not all(map(_is_label, self.labels))
            or not isinstance(self.takes_back, str)
            or (bool(self.takes_back), bool(self.labels)) != (backs, not backs)
            or max(len(self.of), len(self.takes_back)) > _LONGEST
            or len(self.labels) > MOST_MARKED
        ):
            raise OptionError(
                f"marks have an id, of, a verdict, and 1 to {MOST_MARKED:,} labels (image_id, "
                f"region, concept_id); or what they take back"
            )
        self._judgement(*(self.labels[0] if self.labels else ("", 0, 0)))

    def judgements(self) -> list[Judgement]:
        """One of each label."""
        return [self._judgement(*label) for label in self.labels]

    def _judgement(self, image_id: str, region: int, concept_id: int) -> Judgement:
        return Judgement(
            id=self.id,
            image_id=image_id,
            region=region,
            concept_id=concept_id,
            verdict=self.verdict,
            concept=self.concept,
            reviewer=self.reviewer,
            time=self.time,
        )


class Journal:
    """A file of judgements and marks; several processes may append to it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, told: Judgement | Marks) -> None:
        """Add what was told; it is on the disk when this returns, if the name of the file is.

        Raises:
            OSError: If it cannot be written.
            OptionError: If earlier marks are of other labels.
        """
        stamped = {**vars(told), "time": told.time or _now()}
        line = json.dumps(stamped, ensure_ascii=False).encode() + b"\n"
        with self.path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if isinstance(told, Marks) and (of := self.marked()) not in ("", told.of):
                raise OptionError(
                    f"the marks of this name are of {of}: show these labels, or mark those of "
                    f"{told.of} under another name"
                )
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            _write_all(file.fileno(), line)
            os.fsync(file.fileno())

    def judgements(self) -> list[Judgement]:
        """All that were told, once each, in order, without marks that were taken back.

        Raises:
            ArtifactError: If a whole line is none: the file was edited or damaged.
        """
        found: list[Judgement] = []
        for told in self.actions():
            found += told.judgements() if isinstance(told, Marks) else [told]
        return found

    def actions(self) -> list[Judgement | Marks]:
        """The same, those that were marked in one action together.

        Raises:
            ArtifactError: If a whole line is none.
        """
        found: dict[str, Judgement | Marks] = {}
        for told in self._told():
            found.setdefault(told.id, told)
        marks = [told for told in found.values() if isinstance(told, Marks)]
        back = {(told.takes_back, told.reviewer) for told in marks if told.takes_back}
        gone = {told.id for told in marks if told.takes_back or (told.id, told.reviewer) in back}
        return [told for told in found.values() if told.id not in gone]

    def marked(self) -> str:
        """Address of the labels that marks are of; empty without any."""
        return next((told.of for told in self._told() if isinstance(told, Marks)), "")

    def last_words(self) -> list[Judgement]:
        """The last word of each reviewer about each label, without what was taken back."""
        last: dict[tuple[str, int, str], Judgement] = {}
        for judgement in self.judgements():
            key = (judgement.image_id, judgement.region, judgement.reviewer)
            last.pop(key, None)
            if judgement.verdict != UNDO:
                last[key] = judgement
        return list(last.values())

    def last_words_of(self, sample: pa.Table) -> list[Judgement]:
        """The same, of an audit.

        Args:
            sample: Rows of `audits`.

        Raises:
            ArtifactError: If something was told of a label that was not drawn.
        """
        concepts = dict(zip(keys_of(sample), sample["concept_id"].to_pylist(), strict=True))
        told = self.last_words()
        for judgement in told:
            if concepts.get((judgement.image_id, judgement.region)) != judgement.concept_id:
                raise ArtifactError(
                    f"{self.path} is not of this audit: region {judgement.region} of "
                    f"{judgement.image_id} was not drawn, or not with that concept; draw the "
                    f"audit as it was, or under another name"
                )
        return told

    def _told(self) -> Iterator[Judgement | Marks]:
        for number, line in self._lines():
            try:
                content = json.loads(line)
                yield Marks(**content) if "labels" in content else Judgement(**content)
            except (ValueError, TypeError, OptionError, RecursionError):
                if not line.endswith(b"}\n"):
                    continue  # cut off, or not yet written to its end
                raise ArtifactError(
                    f"{self.path}, line {number}: no judgement can be read there; mend the line, "
                    f"or remove it"
                ) from None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield number, line
        except FileNotFoundError:
            return


def time_of(judgement: Judgement) -> datetime:
    """When it was made."""
    return _when(judgement.time)


def _when(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise OptionError(f"{text!r} is no time such as 2026-01-31T12:00:00+00:00") from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _is_label(label: Any) -> bool:
    return (
        isinstance(label, (list, tuple))
        and [type(part) for part in label] == [str, int, int]
        and all(0 <= number < 1 << 31 for number in label[1:])
    )


def _encodes(text: Any) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
