"""What `rc extract-concepts` read and found: counted part by part, said in one line at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from stages.outcome import counted, is_most
from stages.text.parsing.cleaning import MAX_CHARACTERS
from stages.text.parsing.language import (
    ENGLISH,
    LIST_ADVICE,
    LanguageCount,
    language_name,
    parser_advice,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.base import Part

NOTE: Final = "counts"
_FEWEST_WORDS: Final = 20  # in all captions together, to tell that they are not English
_FEWEST_CAPTIONS: Final = 3  # of another language than a parser of one other than English reads


@dataclass
class CaptionCount:
    """Counts captions of one part, those that name something, mentions, rows without a caption."""

    reads: str  # the language of the parser, so that captions in others are counted; "": any
    captions: int = 0
    naming: int = 0
    mentions: int = 0
    captionless: int = 0
    cut: int = 0  # captions of which only the beginning was read
    language: LanguageCount = field(default_factory=LanguageCount)

    def __post_init__(self) -> None:
        self.language.reads = self.reads or "en"

    def add(
        self, captions: Sequence[str], mentions: Sequence[list[str]], *, given: bool
    ) -> Sequence[list[str]]:
        """Count some captions; return the mentions in each that are to be believed.

        The bundled parser finds nouns even in a language that it cannot read; names that were
        `given` may be of any language.
        """
        if self.reads:
            others = self.language.read(captions)
            if not given and self.reads == "en":
                mentions = [[] if o else m for o, m in zip(others, mentions, strict=True)]
        self.captions += len(captions)
        self.naming += sum(map(bool, mentions))
        self.mentions += sum(map(len, mentions))
        self.cut += sum(len(caption) > MAX_CHARACTERS for caption in captions)
        return mentions

    def record(self, part: Part) -> None:
        """Write the counts into the notes of the part."""
        numbers = {"captions": self.captions, "naming": self.naming, "mentions": self.mentions}
        numbers |= {"captionless": self.captionless} if self.captionless else {}
        numbers |= {"cut": self.cut} if self.cut else {}
        part.count(NOTE, {**numbers, **(self.language.counts() if self.reads else {})})


@dataclass(frozen=True)
class ExtractionCounts:
    """The notes of all parts together and of the fold, and how they read."""

    notes: Mapping[str, Any]
    parser: str
    reads: str = "en"  # the language of the parser; "" if it reads any

    def summary(self, concepts: int, min_frequency: int, refused: int) -> list[str]:
        """Captions read, captions that name something, mentions, concepts kept and left out."""
        line = f"{counted(self._of('captions'), 'caption')}: {self._of('naming'):,} name something"
        line += f" ({counted(self._of('mentions'), 'mention')})"
        if captionless := self._captionless():
            line += f"; {captionless}"
        if cut := self._of("cut"):
            line += f"; {cut:,} read to character {MAX_CHARACTERS:,}"
        if refused:
            line += f"; {counted(refused, 'row')} refused"
        if "listed" in self.notes:
            mentioned = self.notes["mentioned"]
            line += f"; {mentioned:,} of {counted(self.notes['listed'], 'name')} mentioned"
        else:
            line += f"; {counted(concepts, 'concept')}"
            if rare := self.notes.get("phrases", concepts) - concepts:
                line += f", {counted(rare, 'phrase')} left out (--min-frequency {min_frequency:,})"
        lines = [line, *self._merged()]
        return lines if self._is_foreign() else [*lines, *self._others()]

    def why_empty(self, count_by: str, min_frequency: int, refused: int, file: str) -> str:
        """Why no concept was kept; `file` names that of the captions, if they come from one."""
        captions = counted(self._of("captions"), "caption")
        if not self._of("captions"):
            return self._without_captions(refused, file)
        if self._is_foreign():
            return self._foreign_sentence()
        if not self._of("naming"):
            return f"none of {captions} names anything: look at the captions, or at --parser"
        phrase, most = self.notes["most_frequent"]
        return (
            f"none of {counted(self.notes['phrases'], 'phrase')} in {captions} was counted "
            f"{min_frequency:,} times ({count_by}; the most frequent, '{phrase}', {most:,}): lower "
            f"--min-frequency"
        )

    def losses(self, refused: int) -> list[str]:
        """Kinds of things of which most was lost."""
        sentences = []
        captions = self._of("captions")
        if is_most(refused, refused + captions):
            sentences.append(
                f"{counted(refused, 'row')} refused, {counted(captions, 'caption')} read"
            )
        if captions and self._is_foreign():
            sentences.append(self._foreign_sentence())
        elif captions and self.notes.get("listed") and not self._of("mentions"):
            sentences.append(self._unmentioned())
        elif "listed" not in self.notes and is_most(captions - self._of("naming"), captions):
            nameless = captions - self._of("naming")
            sentences.append(
                f"{nameless:,} of {counted(captions, 'caption')} name nothing; look at some of them"
            )
        return sentences

    def _without_captions(self, refused: int, file: str) -> str:
        if not file:
            return "the images have no captions: give others, or --captions FILE"
        found = [self._captionless()] if self._captionless() else []
        if refused:
            example = self.notes.get("example_problem", "")
            found.append(f"{counted(refused, 'row')} refused" + f" ({example})" * bool(example))
        return f"there are no captions in {file}: {' and '.join(found) or 'it has no rows'}"

    def _merged(self) -> list[str]:
        """What became of the names that were to be merged, in one line; none without any."""
        if "merged" not in self.notes:
            return []
        names, concepts = self.notes["merged"]
        line = f"{counted(names, 'name')} merged into {counted(concepts, 'concept')}"
        if "absent" in self.notes:
            number, example = self.notes["absent"]
            are, place = "is" if number == 1 else "are", "list" if "listed" in self.notes else ""
            nowhere = f"not in the {place}" if place else "in no caption"
            line += f"; {number:,} more {are} {nowhere}, such as '{example}'"
        return [line]

    def _captionless(self) -> str:
        """How many rows of a caption file have no caption; nothing if all have one."""
        number = self._of("captionless")
        return f"{counted(number, 'row')} without a caption" if number else ""

    def _unmentioned(self) -> str:
        example = self.notes.get("example_caption", "")
        return (
            f"none of {counted(self.notes['listed'], 'name')}, such as '{self.notes['example']}', "
            f"is in the {counted(self._of('captions'), 'caption')}, such as '{example}'; look "
            "whether names and captions are in one language"
        )

    def _others(self) -> list[str]:
        """How many captions are in another language than the parser reads; none if none is."""
        foreign = self._of("not_english") or self._of("foreign")
        if not foreign:
            return []
        do = "does" if foreign == 1 else "do"
        line = f"{counted(foreign, 'caption')} {do} not look like {language_name(self.reads)}"
        if told := sum(self.notes[NOTE].get("languages", {}).values()):
            taken = "" if "listed" in self.notes else f"; no concept is taken from {told:,}"
            line += f"{self._languages()}{taken if self.reads == 'en' else ''}"
        return [line]

    def _is_foreign(self) -> bool:
        if self.reads != "en":
            return self._of("foreign") >= _FEWEST_CAPTIONS and is_most(
                self._of("foreign"), self._of("told")
            )
        words = self._of("words")
        return words >= _FEWEST_WORDS and self._of("known_words") < ENGLISH * words

    def _foreign_sentence(self) -> str:
        languages = self.notes.get(NOTE, {}).get("languages", {})
        language, most = max(languages.items(), key=lambda item: item[1], default=("", 0))
        foreign = self._of("not_english") or self._of("foreign")
        told = language if 2 * most >= foreign else ""
        own = language_name(self.reads)
        found = f"look like {told}" if told else f"do not look like {own}"
        if self.reads == "en":
            found += (
                f" ({self._of('known_words') / self._of('words'):.0%} of their words are known)"
            )
        else:
            found += f" ({foreign:,} of {counted(self._of('captions'), 'caption')})"
        advice = parser_advice(told) if told else LIST_ADVICE
        return (
            f"these captions {found}: the parser '{self.parser}' reads {own}. "
            f"{advice[0].upper()}{advice[1:]}"
        )

    def _languages(self) -> str:
        languages = self.notes.get(NOTE, {}).get("languages", {})
        ranked = sorted(languages.items(), key=lambda item: (-item[1], item[0]))[:3]
        said = ", ".join(f"{count:,} {language}" for language, count in ranked)
        return f" ({said})" if said else ""

    def _of(self, key: str) -> int:
        return int(self.notes.get(NOTE, {}).get(key, 0))
