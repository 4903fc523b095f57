"""What a stage is: its fields are its options, its class attributes its contract, `run` its work.

There is no second configuration object: the command line, the recipe keys, the documentation
and the fingerprint are all made from the fields of the stage's dataclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, slots=True)
class Reads:
    """How a stage reads one input; made by `each` and `whole`.

    Attributes:
        table: Contract of the rows.
        whole: Read entirely by every task, rather than part k for part k.
        also: Tables that may stand in for `table` because they carry the same attachments.
        optional: Absent unless named by the user or found in the ancestry of other inputs.
        drafts: Read the drafts the artifact was folded from, rather than its rows.
        where: Name of the option that holds a SQL predicate over the rows.
        named: Only read when the user names it: never found in the ancestry of other inputs.
    """

    table: Table
    whole: bool
    also: tuple[Table, ...] = ()
    optional: bool = False
    drafts: Table | None = None
    where: str | None = None
    named: bool = False


def each(table: Table, **how: Any) -> Reads:
    """Read part by part: part k of the output is made from part k of this input."""
    return Reads(table, whole=False, **how)


def whole(table: Table, **how: Any) -> Reads:
    """Read entirely by every task; for inputs that fit in memory."""
    return Reads(table, whole=True, **how)


class Part(Protocol):
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

    def attachment(self, role: str, name: str) -> Path:
        """A file beside the rows of an input, such as weights.safetensors; read only."""
        ...

    def attach(self, name: str) -> Path:
        """Where to write a file to be committed beside the rows of this part."""
        ...

    def slices(self) -> Sequence[Part]:
        """The parts of the first input, one by one; what a gang stage streams over."""
        ...

    def refuse(self, record: str, reason: str, detail: str) -> None:
        """Put a bad record in quarantine, with a reason code and one sentence; the run goes on."""
        ...

    def advance(self, count: int = 1) -> None:
        """Report progress in the stage's `unit`; has no effect on rows."""
        ...

    def note(self, key: str, value: Any) -> None:
        """Record a fact of this run (JSON) in the manifest; only what follows from the recipe."""
        ...


def option(
    default: Any,
    doc: str,
    *,
    recipe: bool = True,
    flag: str | None = None,
    choices: tuple[str, ...] | None = None,
    **limits: float,
) -> Any:
    """Declare an option once, for the constructor, the command line and the docs.

    Args:
        default: Value when not given; the annotation is the option's type.
        doc: One line, with the unit.
        recipe: Whether it decides the rows; False if it only decides the speed, or if `digests`
            speaks for it (paths).
        flag: Name on the command line, if not the field's own.
        choices: The values allowed.
        **limits: Any of `above`, `at_least`, `at_most`, `below`.
    """
    metadata = {"doc": doc, "recipe": recipe, "flag": flag, "choices": choices, "limits": limits}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Stage(ABC):
    """One verb of the pipeline: reads artifacts, yields the rows of one artifact.

    Fields are the stage's options and nothing else: equal options over equal inputs are the
    same artifact. A stage never opens a file of the store by itself and never learns which
    engine runs it.
    """

    limit: int | None = option(None, "only the first N rows of the first input", at_least=1)
    device: str = option("auto", "cpu, cuda, cuda:N; auto takes cuda if there is one", recipe=False)
    threads: int | None = option(
        None, "threads of one worker; default: cores / workers", recipe=False, at_least=1
    )

    name: ClassVar[str]  # the verb, as typed after `rc`
    version: ClassVar[int]  # raised when the same options would give other rows
    reads: ClassVar[Mapping[str, Reads]]
    writes: ClassVar[Table]
    also_writes: ClassVar[tuple[Table, ...]] = ()  # what `makes` may return instead
    drafts: ClassVar[Table | None] = None  # rows of `run`, if `merge` folds them into `writes`
    single_task: ClassVar[bool] = False  # True: one task over all parts
    unit: ClassVar[str] = "images"  # what `Part.advance` counts
    # Values of options under one name; a stage that has some has an option `preset`. What the
    # user gives wins over the preset, the preset over the defaults: see `pipeline.execution`.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(self.name, f.metadata.get("flag") or f.name, getattr(self, f.name), f.metadata)

    def recipe(self) -> dict[str, Any]:
        """The options that decide the rows."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["recipe"]}

    def requires(self) -> Mapping[str, Reads]:
        """The inputs these options need: all of `reads`, unless a stage says otherwise."""
        return self.reads

    def makes(self) -> Table:
        """The table these options write: `writes`, unless a stage says otherwise."""
        return self.writes

    def first(self) -> str:
        """The input that leads: `limit` counts its rows, and a gang stage streams its parts."""
        required = self.requires().items()
        return next((role for role, reads in required if not reads.optional), "")

    def digests(self) -> Mapping[str, str]:
        """Hashes of what lies outside the store and decides the rows: sources, weights, lists."""
        return {}

    def unseen(self) -> tuple[str, ...] | None:
        """Categories that no localizer among the inputs should have been trained on.

        None if it does not matter to this stage; see `pipeline.execution.leakage`.
        """
        return None

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """Part numbers to compute, given those of each input read `each`."""
        return [0] if self.single_task else next(iter(parts.values()), [0])

    def total(self) -> int | None:
        """How many `unit`s a run has, when no input tells; for progress only."""
        return None

    @abstractmethod
    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the rows that follow from `part`. Pure: same part, same rows."""

    def merge(self, drafts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Fold the drafts of all parts into the final rows; only called if `drafts` is set."""
        raise NotImplementedError(f"{type(self).__name__} sets `drafts` but has no `merge`")


_LIMITS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "above": ("must be above", lambda value, bound: value > bound),
    "at_least": ("must be at least", lambda value, bound: value >= bound),
    "below": ("must be below", lambda value, bound: value < bound),
    "at_most": ("must be at most", lambda value, bound: value <= bound),
}


def _check(stage: str, name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    if value is None:
        return
    flag = "--" + name.lstrip("-").replace("_", "-")
    if metadata["choices"] and value not in metadata["choices"]:
        allowed = ", ".join(metadata["choices"])
        raise OptionError(f"rc {stage}: {flag} must be one of {allowed}, got {value!r}")
    for key, bound in metadata["limits"].items():
        words, holds = _LIMITS[key]
        if not holds(value, bound):  # nan fails every comparison, so it is refused here too
            raise OptionError(f"rc {stage}: {flag} {words} {bound:g}, got {value:g}")
