"""Rules about pseudo-labels in a file: other names, concepts never to keep, and confusable ones.

never = ["photo", "background"]
confusable = [["wolf", "husky"]]   # leave out a wolf that is a husky almost as probably
margin = 0.1                       # almost: the difference of the probabilities is at most this

[rename]
sofa = "couch"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.sources.files import foreign, read_up_to
from stages.sources.name_checks import quoted_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_MOST_BYTES: Final = 1 << 20
_MARGIN: Final = 0.1


@dataclass(frozen=True)
class LabelRules:
    """What a file of rules says.

    Attributes:
        rename: Another name for each of some concepts.
        never: Concepts whose labels are left out.
        confusable: Groups of concepts that are taken for each other.
        margin: A label is left out if another concept of its group is at most this much less
            probable.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    never: tuple[str, ...] = ()
    confusable: tuple[tuple[str, ...], ...] = ()
    margin: float = _MARGIN

    def names(self) -> list[str]:
        """All names that the rules are about, once each, without those that replace others."""
        return list(dict.fromkeys([*self.rename, *self.never, *chain(*self.confusable)]))


def read_rules(path: Path) -> LabelRules:
    """Read a file of rules.

    Raises:
        SourceError: If it cannot be read, is larger than 1 MB, says something that is no rule, or
            contradicts itself.
    """
    with foreign(f"rules {path}", "rules are TOML: rename, never, confusable, margin"):
        content = _content(path)
        unknown = content.keys() - {"rename", "never", "confusable", "margin"}
        if unknown or not content:
            said = quoted_names(sorted(unknown)) if unknown else "nothing"
            raise SourceError(f"rules {path} say {said}; they have {_KEYS}")
        rules = LabelRules(
            rename=_renamed(path, content.get("rename", {})),
            never=_names(path, "never", content.get("never", [])),
            confusable=tuple(
                _names(path, "confusable", group, at_least=2)
                for group in _list(path, "confusable", content.get("confusable", []))
            ),
            margin=_share(path, content.get("margin", _MARGIN)),
        )
    _check(path, rules)
    return rules


_KEYS: Final = (
    '[rename] sofa = "couch", never = ["photo"], confusable = [["wolf", "husky"]], margin'
)


def _content(path: Path) -> dict[str, Any]:
    content = read_up_to(path, _MOST_BYTES)
    if content is None:
        raise SourceError(f"rules {path} are larger than 1 MB; is it another file?")
    return tomllib.loads(content.decode("utf-8"))


def _renamed(path: Path, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise SourceError(f'rules {path}: rename is a table, such as sofa = "couch"')
    _names(path, "rename", [*value, *value.values()])
    return value


def _names(path: Path, key: str, value: Any, at_least: int = 0) -> tuple[str, ...]:
    names = _list(path, key, value)
    if not all(isinstance(name, str) and name.strip() for name in names) or len(names) < at_least:
        what = f"a list of {at_least} names or more" if at_least else "names of concepts"
        raise SourceError(f"rules {path}: {key} has {what}, and has something else")
    return tuple(names)


def _list(path: Path, key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise SourceError(f"rules {path}: {key} is a list; they have {_KEYS}")
    return value


def _share(path: Path, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SourceError(f"rules {path}: margin is a number from 0 to 1, got {value!r:.40}")
    return float(value)


def _check(path: Path, rules: LabelRules) -> None:
    """Pass if no rule undoes another."""
    again = _common(rules.rename, rules.rename.values())
    if again:
        raise SourceError(
            f"rules {path}: {quoted_names(again)} is renamed, and others are renamed to it; name "
            f"the last name at once"
        )
    never = _common(rules.never, [*rules.rename, *rules.rename.values()])
    if never:
        raise SourceError(
            f"rules {path}: {quoted_names(never)} is in never and in rename; drop one"
        )


def _common(some: Iterable[str], others: Iterable[str]) -> list[str]:
    return sorted(set(some) & set(others))
