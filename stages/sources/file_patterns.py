"""Files by glob and brace patterns, local and remote."""

from __future__ import annotations

import glob
import re
from itertools import takewhile
from pathlib import Path
from typing import Final

from schemas.errors import SourceError
from stages.sources.files import absolute, is_remote
from stages.sources.remote_files import matching

_BRACES: Final = re.compile(r"\{([^{}]+)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")


def expand(pattern: str) -> list[str]:
    """Paths that match a glob or brace pattern; the path itself if it is no pattern.

    As much of a local path as is there as written is never a pattern, whatever its folders are
    called: in `run[1]/*.tar` only the star is one where there is a folder `run[1]`.

    >>> expand("/nowhere/{00..02}.tar")
    ['/nowhere/00.tar', '/nowhere/01.tar', '/nowhere/02.tar']
    """
    if is_remote(pattern):
        return [path for text in _expand_braces(pattern) for path in _expand_remote(text)]
    there, rest = _as_written(pattern)
    braces = _BRACES.search(str(there))
    texts = (
        [f"{there}/{text}" for text in _expand_braces(rest)] if braces else _expand_braces(pattern)
    )
    return [path for text in texts for path in _expand_local(text)]


def _expand_braces(text: str) -> list[str]:
    braces = _BRACES.search(text)
    if braces is None:
        return [text]
    ends = _RANGE.fullmatch(braces[1])
    if ends:
        numbers = range(int(ends[1]), int(ends[2]) + 1)
        choices = [str(n).zfill(len(ends[1])) for n in numbers]
    else:
        choices = braces[1].split(",")
    head, tail = text[: braces.start()], text[braces.end() :]
    return [path for choice in choices for path in _expand_braces(head + choice + tail)]


def _as_written(text: str) -> tuple[Path, str]:
    """The longest beginning of a local path that is there, and the rest, which may be a pattern."""
    path = Path(absolute(text))
    there = next(place for place in (path, *path.parents) if place.exists())
    return there, str(path.relative_to(there))


def _expand_remote(text: str) -> list[str]:
    if not glob.has_magic(text):
        return [text]
    paths = matching(text)
    if not paths:
        raise SourceError(f"nothing matches {text}: quote the pattern, or name the files")
    return paths


def _expand_local(text: str) -> list[str]:
    there, rest = _as_written(text)
    if not glob.has_magic(rest):
        return [absolute(text)]
    paths = glob.glob(str(Path(glob.escape(str(there)), rest)), recursive=True)  # noqa: PTH207 - it is absolute
    if not paths:
        raise SourceError(f"nothing matches {text}: {_why_no_match(there, rest)}")
    return sorted(paths)


def _why_no_match(there: Path, rest: str) -> str:
    """What is missing: the first folder of a local pattern that is not there, or the files."""
    folder = Path(there, *takewhile(lambda part: not glob.has_magic(part), Path(rest).parts))
    missing = [place for place in [*[*folder.parents][::-1], folder] if not place.exists()]
    if missing:
        return f"there is no folder {missing[0]}"
    return f"{folder} is there, and no file in it has such a name; quote the pattern"
