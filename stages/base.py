"""What a stage is: its fields are its options, its class attributes its contract, `run` its work.

Command line, recipe keys, documentation and fingerprint are all made from these fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from stages.option import check_options, check_switches, decides, option
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from schemas.quarantine import Reason
    from schemas.table import Table

    Count = float | Sequence["Count"] | Mapping[str, "Count"]  # equal shapes add up

__all__ = ["Findings", "Part", "Reads", "Stage", "each", "option", "retried", "whole"]


@dataclass(frozen=True, slots=True)
class Reads:
    """How a stage reads one input; made by `each`, `whole` and `retried`.

    Attributes:
        table: Contract of the rows.
        whole: Read entirely by every task, rather than part k for part k.
        also: Tables that may stand in for `table` because they carry the same attachments.
        optional: Absent unless named by the user or found in the ancestry of other inputs.
        drafts: Read the drafts the artifact was folded from, rather than its rows.
        where: Option whose SQL condition says which rows take part; `pipeline.execution.conditions`
        fallback: Whether rows that do not take part are read too, for want of others.
        named: Only read when the user names it: never found in the ancestry of other inputs.
        everywhere: Whether a task may read more than its part: `Part.everywhere`, `noted`.
        strict: Naming it is an error where the options do not need it, rather than of no effect.
        retried: Whether it is an earlier result of the same stage, whose refused records are tried
            again; a user names it quarantine@…. It decides no part, so no recipe of one has it.
        apart: Whether it may be about something else; no other input is found in its ancestry.
        beside: Role of a table about the same rows, whose columns the condition may use too.
        decided: Role of reviews of the rows: those reviewed are read too, whatever the condition.
    """

    table: Table
    whole: bool
    also: tuple[Table, ...] = ()
    optional: bool = False
    drafts: Table | None = None
    where: str | None = None
    fallback: bool = False
    named: bool = False
    everywhere: bool = False
    strict: bool = False
    retried: bool = False
    apart: bool = False
    beside: str | None = None
    decided: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The tables that a user may name for it."""
        if self.retried:
            from schemas.quarantine import QUARANTINE  # brings pyarrow, which help does not need

            return (QUARANTINE.name,)
        return tuple(table.name for table in (self.table, *self.also))


def each(table: Table, **options: Any) -> Reads:
    """Read part by part: part k of the output is made from part k of this input."""
    return Reads(table, whole=False, **options)


def whole(table: Table, **options: Any) -> Reads:
    """Read entirely by every task; for inputs that fit in memory."""
    return Reads(table, whole=True, **options)


def retried(table: Table) -> Reads:
    """Take over the parts of an earlier result that refused nothing; compute the others again."""
    return Reads(table, whole=True, optional=True, named=True, retried=True)


class Findings(Protocol):
    """Where a run records what it found."""

    def note(self, key: str, value: Any) -> None:
        """Record a fact of this run (JSON) in the manifest; only what follows from the recipe.

        All parts must record the same value, else the run fails and names the parts.
        """
        ...

    def count(self, key: str, number: Count) -> None:
        """Add to a number in the notes of the manifest; the numbers of all parts add up."""
        ...


class Part(Findings, Protocol):
    """The slice of every input that one call of `Stage.run` works on, and where its results go."""

    @property
    def number(self) -> int:
        """Which part this is; the same number means the same images in every artifact."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder for checkpoints: survives a killed run, gone once the artifact is committed."""
        ...

    def has(self, role: str) -> bool:
        """Whether an optional input was given."""
        ...

    def table(self, role: str) -> pa.Table:
        """Rows of an input: this part of it if read `each`, all of it if read `whole`."""
        ...

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        """The same rows, streamed, for what does not fit in memory at once."""
        ...

    def everywhere(self, role: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows of an input, whichever part this is and whatever the limit.

        For what must not depend on how parts were cut, such as whether a name is unique.
        """
        ...

    def fingerprint(self, role: str) -> str:
        """The same for the same input: a key for what was made of all of it, for the next part."""
        ...

    def is_same(self, role: str, other: str) -> bool:
        """Whether two inputs are one artifact; whether they are belongs to the recipe of a part."""
        ...

    def noted(self, role: str, key: str) -> Any:
        """A fact in the manifest of an input, see `note`; None if it is not there."""
        ...

    def attachment(self, role: str, name: str) -> Path:
        """A file beside the rows of an input, such as weights.safetensors; read only."""
        ...

    def attach(self, name: str) -> Path:
        """Where to write a file to be committed beside the rows of this part."""
        ...

    def slices(self) -> Sequence[Part]:
        """The parts of the first input, one by one; what a single task streams over."""
        ...

    def refuse(self, record: str, reason: Reason, detail: str) -> None:
        """Put a bad record in quarantine, with a reason and one sentence; the run goes on."""
        ...

    def advance(self, count: int = 1) -> None:
        """Report progress in the stage's `unit`; has no effect on rows."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stage(ABC):
    """One verb of the pipeline: reads artifacts, yields the rows of one artifact.

    Fields are the stage's options and nothing else: equal options over equal inputs are the
    same artifact. A stage opens no file of the store and never learns which engine runs it.
    """

    limit: int | None = option(None, "only the first N rows of the first input", at_least=1)
    device: str = option("auto", "cpu, cuda, cuda:N; auto takes cuda if there is one", recipe=False)
    threads: int | None = option(
        None, "threads of one worker; default: cores / workers, at most 8", recipe=False, at_least=1
    )

    name: ClassVar[str]  # the verb, as typed after `rc`
    version: ClassVar[int]  # raised when the same options would give other rows
    reads: ClassVar[Mapping[str, Reads]]
    writes: ClassVar[Table]
    drafts: ClassVar[Table | None] = None  # rows of `run`, if `merge` folds them into `writes`
    single_task: ClassVar[bool] = False  # True: one task over all parts
    unit: ClassVar[str] = "images"  # what `Part.advance` counts
    counts_rows: ClassVar[bool] = True  # whether `unit`s are rows of the first input
    everyday: ClassVar[tuple[str, ...]] = ()  # options and inputs that its help shows first
    example: ClassVar[str] = ""  # a command, for its help
    only_with: ClassVar[Mapping[str, Sequence[str]]] = {}  # by switch: what means nothing without
    machine_notes: ClassVar[Mapping[str, str]] = {}  # by note: what to do if machines disagree

    def __post_init__(self) -> None:
        check_options(self)
        check_switches(self, self.only_with)

    def recipe(self) -> dict[str, Any]:
        """The options that decide the rows; a switch that is off leaves none of its options."""
        off = set[str]()
        for switch, names in self.only_with.items():
            off |= set() if getattr(self, switch) else {switch, *names}
        decisive = [f.name for f in fields(self) if f.name not in off and decides(self, f)]
        return {name: getattr(self, name) for name in decisive}

    def requires(self) -> Mapping[str, Reads]:
        """The inputs these options need: all of `reads`, unless a stage says otherwise."""
        return self.reads

    def makes(self) -> Table:
        """The table these options write: `writes`, unless a stage says otherwise."""
        return self.writes

    def counts(self) -> str:
        """What `Part.advance` counts with these options: `unit`, unless a stage says otherwise."""
        return self.unit

    def first(self) -> str:
        """The input that leads: `limit` counts its rows, and a single task streams its parts."""
        required = self.requires().items()
        return next((role for role, reads in required if not reads.optional), "")

    def digests(self) -> Mapping[str, str]:
        """Hashes, or versions, of what else decides the rows: sources, weights, lists."""
        return {}

    def part_digests(self, number: int, digests: Mapping[str, str]) -> Mapping[str, str]:
        """Of what lies outside the store, that which decides one part; all, unless a stage knows.

        Args:
            number: Of the part.
            digests: What `digests` said.
        """
        return digests

    def recognises(
        self, number: int, rows: Callable[[list[str]], Iterator[pa.RecordBatch]]
    ) -> bool:
        """Whether rows that an earlier run made of equal digests are right today.

        Args:
            number: Of the part.
            rows: Reads some columns of what another artifact has for it.
        """
        return True

    def as_before(self, options: Mapping[str, Any]) -> Stage:
        """This stage with the options of an earlier run; parts that refused nothing are equal.

        Args:
            options: Of the earlier run, as its manifest has them.

        Raises:
            OptionError: If they may not be equal.
        """
        raise NotImplementedError(f"{type(self).__name__} reads `retried` but has no `as_before`")

    def survey(self, findings: Findings) -> None:  # noqa: B027 - most have nothing to say
        """Record what is true of the sources as a whole; once, before any part is made."""

    def num_processes(self) -> int:
        """How many processes compute one task together; the rows do not depend on it."""
        return 1

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """Part numbers to compute, given those of each input read `each`."""
        return [0] if self.single_task else next(iter(parts.values()), [0])

    def total(self) -> int | None:
        """How many `unit`s a run has, when no input tells; for progress only."""
        return None

    def outcome(self, result: Result) -> Outcome:
        """What to say at the end; pure: it follows from the result alone."""
        empty = None
        if result.rows == 0 and not self.makes().is_model:
            refused = ", ".join(f"{count:,} {reason}" for reason, count in result.dropped.items())
            empty = f"the result has no rows{f' (refused: {refused})' if refused else ''}"
        untrained = self.makes().is_model and not result.rows
        said = "a model, without training" if untrained else counted(result.rows, "row")
        return Outcome([said, *result.notes.get("summary", ())], empty)

    @abstractmethod
    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the rows that follow from `part`. Pure: same part, same rows."""

    def merge(
        self, drafts: Iterable[pa.RecordBatch], note: Callable[[str, Any], None]
    ) -> Iterator[pa.RecordBatch]:
        """Fold the drafts of all parts into the final rows; only called if `drafts` is set.

        Args:
            drafts: Of all parts, in their order.
            note: Records a fact of the fold in the manifest, as `Part.note` does.
        """
        raise NotImplementedError(f"{type(self).__name__} sets `drafts` but has no `merge`")
