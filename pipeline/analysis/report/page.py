"""The page of a report: one HTML file that needs nothing else, and trusts no word it shows.

Pictures are inside it; there is no script, and its own policy allows none, nor anything from
elsewhere. All text from the store is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Any, Final

from pipeline.analysis.report.figures import calibration_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.analysis.report.figures import Figure
    from pipeline.analysis.report.label_statistics import Numbers, Row

_TITLE: Final = "<title>Pseudo-labels "
_SHOWN: Final = 200  # concepts of the long table: all of a small pool
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
h1 { font-size: 1.6rem; margin: 1rem 0 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 44rem; } code { overflow-wrap: anywhere; }
.tiles { display: grid; gap: .6rem; grid-template-columns: repeat(3, 1fr); margin: 1.2rem 0;
  padding: 0; list-style: none; }
.tiles li { background: var(--soft); border-radius: .5rem; padding: .6rem .8rem; }
.tiles b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.tiles span, .note { font-size: .85rem; opacity: .8; }
.sections { column-gap: 2rem; display: grid; grid-template-columns: minmax(0, 1fr); }
.row { align-items: flex-start; display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.row > * { max-width: 100%; min-width: 0; }
img { background: #fff; border-radius: .5rem; display: block; height: auto; width: 30rem; }
.wide { overflow-x: auto; } .row .wide { flex: 1 1 24rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: top; white-space: nowrap; }
th { vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
td.words { min-width: 6.5rem; overflow-wrap: anywhere; text-align: left; white-space: normal; }
.row td.words { min-width: 0; white-space: nowrap; }
summary { cursor: pointer; font-weight: 600; margin: 2rem 0 .5rem; }
@media (min-width: 64rem) {
  .sections { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .full { grid-column: 1 / -1; } .tall { grid-row: span 2; }
}
@media (max-width: 40rem) {
  .tiles { grid-template-columns: 1fr 1fr; }
  table { font-size: .8rem; } th, td { padding: .25rem; }
}
"""


def is_ours(path: Path) -> bool:
    """Whether a file is a page that `page` made."""
    with path.open("rb") as file:
        return _TITLE.encode() in file.read(2000)


def page(numbers: Numbers, pictures: Sequence[Figure], folder: Path) -> str:
    """The HTML of a report whose pictures lie in `folder`."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"{_TITLE}{escape(numbers.address)}</title>",
        f"<style>{_STYLE}</style></head><body><main>",
        f"<h1>Pseudo-labels</h1><p><code>{escape(numbers.address)}</code>{_condition(numbers)}</p>",
        _tiles(numbers),
        '<div class="sections">',
        *(_section(picture, folder, numbers) for picture in pictures),
        "</div>" if pictures else "<p>There are no such labels: nothing to draw.</p></div>",
        _concepts(numbers["concepts"], judged=numbers.judged),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _condition(numbers: Numbers) -> str:
    return "" if numbers.where is None else f" where <code>{escape(numbers.where)}</code>"


def _tiles(numbers: Numbers) -> str:
    counts, drawn = numbers.counts, numbers.drawn
    concepts = numbers["concepts"]
    tiles = [
        (_count(counts["labels"]), f"labels, {_count(counts['kept'])} kept"),
        (_count(counts["images"]), f"images, {_count(counts['images_kept'])} with kept labels"),
        (
            _count(counts["concepts_kept"]),
            f"of {_count(len(concepts))} concepts of the pool have kept labels",
        ),
        (_share(_head(concepts)), "of kept labels go to a tenth of the pool"),
        (_number(counts["probability_kept"]), "mean probability of kept labels"),
        (_share(counts["in_caption_kept"]), "of kept labels are in a caption"),
    ]
    if numbers.judged:
        tiles += [
            (
                _count(drawn["objects"]),
                f"objects drawn; {drawn['categories_in_pool']} of {drawn['categories']} "
                "categories are in the pool",
            ),
            (
                _share(counts["precision_kept"]),
                f"of the {_count(counts['on_objects_kept'])} kept labels on objects are right",
            ),
            (_share(_none_if_nan(calibration_error(numbers))), "expected calibration error"),
        ]
    items = "".join(f"<li><b>{escape(b)}</b><span>{escape(s)}</span></li>" for b, s in tiles)
    return f'<ul class="tiles">{items}</ul>'


def _section(picture: Figure, folder: Path, numbers: Numbers) -> str:
    title, text = escape(picture.title), escape(picture.text)
    parts = [_image(folder / file, title) for file in picture.files]
    if picture.name in _BESIDE:
        parts.append(_table(numbers[picture.name], _COLUMNS[picture.name]))
    kind = "full" if len(parts) > 1 else "tall" if picture.name == "concepts" else "half"
    start = f'<section class="{kind}">'
    return f'{start}<h2>{title}</h2><p>{text}</p><div class="row">{"".join(parts)}</div></section>'


def _image(path: Path, title: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{title}: {escape(path.stem)}" src="data:image/png;base64,{content}">'


def _concepts(rows: Sequence[Row], *, judged: bool) -> str:
    columns = dict(_COLUMNS["concepts"])
    if not judged:
        del columns["precision"]
    left = len(rows) - _SHOWN
    note = f'<p class="note">{left:,} rarer concepts are left out.</p>' if left > 0 else ""
    table = _table(rows[:_SHOWN], columns)
    return f"<details><summary>Concepts, one a row</summary>{table}{note}</details>"


_BESIDE: Final = ("thresholds", "sizes")  # pictures with their numbers beside them
_COLUMNS: Final[dict[str, dict[str, str]]] = {
    "thresholds": {
        "threshold": "probability",
        "labels": "labels",
        "on_objects": "on objects",
        "precision": "precision",
        "recall": "recall",
    },
    "sizes": {
        "size": "size",
        "labels": "labels",
        "on_objects": "on objects",
        "precision": "precision",
        "objects": "objects",
        "recall": "recall",
    },
    "concepts": {
        "concept": "concept",
        "kept": "kept",
        "labels": "labels",
        "images": "images",
        "probability": "mean probability",
        "in_caption": "in a caption",
        "precision": "precision",
    },
}


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns.values())
    body = "".join(
        f"<tr>{''.join(_cell(name, row[name]) for name in columns)}</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return f'<td class="words">{escape(value)}</td>'
    if isinstance(value, int):
        return f"<td>{_count(value)}</td>"
    return f"<td>{_number(value) if name in ('threshold', 'probability') else _share(value)}</td>"


def _head(concepts: Sequence[Row]) -> float | None:
    """Share of the kept labels that the commonest tenth of the concepts has."""
    kept = [row["kept"] for row in concepts]
    return sum(kept[: -(-len(kept) // 10)]) / sum(kept) if sum(kept) else None


def _none_if_nan(value: float) -> float | None:
    return None if value != value else value


def _count(value: int) -> str:
    return f"{value:,}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
