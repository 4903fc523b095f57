"""Rules about pseudo-labels, applied to those that nobody reviewed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import OptionError
from stages.selecting.changed_labels import called_otherwise, replaced
from stages.sources.name_checks import quoted_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.selecting.changed_labels import Row
    from stages.selecting.rules_file import LabelRules


class RulesOnLabels:
    """Applies rules to labels, and counts what they did.

    Args:
        rules: As in the file.
        pool: The number of each concept, by name.
        exclusive: Whether concepts exclude each other, see `called_otherwise`.

    Raises:
        OptionError: If a concept of the pool is to be renamed to a name that it does not have.
    """

    def __init__(self, rules: LabelRules, pool: Mapping[str, int], *, exclusive: bool) -> None:
        self._exclusive, self._margin = exclusive, rules.margin
        nowhere = [new for old, new in rules.rename.items() if old in pool and new not in pool]
        if nowhere:
            raise OptionError(
                f"rc select: --rules rename to {quoted_names(nowhere, pool)}, which the concept "
                f"pool does not have; labels are concepts of the pool: rename to one of these, or "
                f"put the name into the pool"
            )
        self._rename = {pool[a]: pool[b] for a, b in rules.rename.items() if a in pool}
        self._never = {pool[name] for name in rules.never if name in pool}
        self._confusable: dict[int, set[int]] = {}
        for group in rules.confusable:
            numbers = {pool[name] for name in group if name in pool}
            for number in numbers:
                self._confusable.setdefault(number, set()).update(numbers - {number})
        about = {*self._rename, *self._never, *self._confusable}
        self._about = pa.array(sorted(about), pa.int32())
        self.unknown = [name for name in rules.names() if name not in pool]
        self.too_short = False  # whether labels keep no other concept that could be as probable
        self._counts: Counter[str] = Counter()

    def of(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of `pseudo_labels`, as the rules have them."""
        about = pc.is_in(rows.column("concept_id"), value_set=self._about)
        among = pc.indices_nonzero(pc.and_(about, pc.is_null(rows.column("reviewed"))))
        changed: dict[int, Row | None] = {}
        for place, row in zip(among.to_pylist(), rows.take(among).to_pylist(), strict=True):
            row_now, why = self._ruled(row)
            if why:
                changed[place] = row_now
                self._counts[why] += 1
        return replaced(rows, changed)

    def counts(self) -> dict[str, int]:
        """How many labels by what became of them: confusable, never, renamed."""
        return dict(sorted(self._counts.items()))

    def _ruled(self, row: Row) -> tuple[Row | None, str]:
        concept = row["concept_id"]
        if concept in self._never:
            return None, "never"
        new = self._rename.get(concept)
        ruled = row if new is None else called_otherwise(row, new, exclusive=self._exclusive)
        if self._is_confused(ruled, concept):
            return None, "confusable"
        return ruled, "" if new is None else "renamed"

    def _is_confused(self, row: Row, old: int) -> bool:
        others = self._confusable.get(row["concept_id"], set()) - {old}
        self.too_short |= bool(others) and len(row["top_ids"]) == 1
        least = row["probability"] - self._margin
        return any(
            one in others and p >= least
            for one, p in zip(row["top_ids"], row["top_probabilities"], strict=True)
        )
