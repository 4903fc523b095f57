"""The file of groups that a user edits: what is proposed, with the reasons beside it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from stages.outcome import counted
from stages.sources.concept_groups import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.analysis.synonym_groups import ProposedGroups

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN: Final = 200  # pairs that are in no group
_HEADER: Final = """\
# Names of one thing, proposed by rc merge-concepts: each line is a group. The first name becomes
# the concept's, and mentions of the others count as mentions of it. Delete a name or a group, move
# a name, add your own; a name may stand in one place only. Then: rc extract-concepts --merge FILE
# Kinds of a thing are proposed too where captions use both words ("bird" and "duck"): delete those
# that you want to tell apart. For evaluation by name, let the first name be that of the category.
"""


def groups_text(proposed: ProposedGroups) -> str:
    """The TOML of proposed groups, with a comment for each name."""
    lines = [_HEADER + "#", *(f"# {line}" for line in summary(proposed)), "", f"[{TABLE}]"]
    lines += [line for group in proposed.groups for line in _group(proposed, group)]
    if rest := proposed.ungrouped():
        lines += ["", "# Alike too, but not all names of such a group would be:"]
        lines += [f"# {_text(a)}, {_text(b)}: {_why(proposed, a, b)}" for a, b in rest[:_SHOWN]]
        if len(rest) > _SHOWN:
            lines.append(f"# and {len(rest) - _SHOWN:,} pairs more")
    return "\n".join(lines) + "\n"


def summary(proposed: ProposedGroups) -> list[str]:
    """What was compared and what came of it; why there is nothing, if there is nothing."""
    names, limit = sum(map(len, proposed.groups)), f"a cosine of at least {proposed.min_cosine:g}"
    of_all = f"{names:,} of {counted(len(proposed.mentions), 'concept')}"
    have = "has" if proposed.similar == 1 else "have"
    lines = [
        f"{counted(len(proposed.groups), 'group')} with {of_all}",
        f"{counted(proposed.similar, 'pair')} {have} {limit}; captions "
        + ("speak of" if proposed.comparable else "do not speak against")
        + f" {len(proposed.pairs):,} as one thing",
    ]
    if not proposed.similar and proposed.nearest:
        one, other, cosine = proposed.nearest
        lines[1] = f"no two concepts have {limit}: the highest is {cosine:.4f}, of {_text(one)} and"
        lines[1] += f" {_text(other)}; lower --min-cosine"
    if proposed.without_embedding:
        without = counted(proposed.without_embedding, "concept")
        lines.append(f"{without} without an embedding left out")
    if not proposed.comparable and proposed.similar:
        lines.append(
            "most images have one caption, which says little about two names: look at each group, "
            "or raise --min-cosine"
        )
    return lines


def _group(proposed: ProposedGroups, group: list[str]) -> Iterator[str]:
    """Lines of one group: one, or one for each of several members."""
    head, *members = group
    key = head if _BARE.fullmatch(head) else _text(head)
    if len(members) == 1:
        yield f"{key} = [{_text(members[0])}]  # {_why(proposed, head, members[0])}"
        return
    yield f"{key} = ["
    for name in members:
        yield f"    {_text(name)},  # {_why(proposed, head, name)}"
    yield "]"


def _why(proposed: ProposedGroups, one: str, other: str) -> str:
    pair, mentions = proposed.pair(one, other), proposed.mentions
    return (
        f"cosine {pair.cosine:.4f}; mentioned {mentions[one]:,} and {mentions[other]:,} times; by "
        f"different captions of one image {pair.images:,} times, by one caption {pair.together:,}"
    )


def _text(name: str) -> str:
    """A name as a string of TOML, which JSON writes but for one character."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
