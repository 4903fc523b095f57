"""The page of a report: one HTML file without other files, safe for any text from the store.

Plots are embedded; there is no script, and the page's own policy allows no script and no request.
All text from the store is escaped.
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

    from pipeline.analysis.report.figures import ReportSection
    from pipeline.analysis.report.label_statistics import LabelStatistics, Row

_TITLES: Final = ("Pseudo-labels ", "Audit ")  # what those of reports begin with
_MAX_CONCEPTS: Final = 200  # rows of the table of concepts
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


def is_report(path: Path) -> bool:
    """Whether a file is a page made by `document`."""
    with path.open("rb") as file:
        head = file.read(2000)
    return any(f"<title>{title}".encode() in head for title in _TITLES)


def page(statistics: LabelStatistics, sections: Sequence[ReportSection], folder: Path) -> str:
    """The HTML of a report whose plots are in `folder`."""
    parts = [
        f"<h1>Pseudo-labels</h1><p><code>{escape(statistics.address)}</code>{_condition(statistics)}</p>",
        _tiles(statistics),
        '<div class="sections">',
        *(_section(section, folder, statistics) for section in sections),
        "</div>" if sections else "<p>There are no such labels: nothing to plot.</p></div>",
        _concepts(statistics["concepts"], has_ground_truth=statistics.has_ground_truth),
    ]
    return document(f"Pseudo-labels {statistics.address}", parts)


def document(title: str, parts: Sequence[str]) -> str:
    """A page of HTML.

    Args:
        title: Of the window; begins with one of `_TITLES`.
        parts: HTML in which all text from the store is escaped.
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style></head><body><main>",
    ]
    return "\n".join([*head, *parts, "</main></body></html>"]) + "\n"


def _condition(statistics: LabelStatistics) -> str:
    return "" if statistics.where is None else f" where <code>{escape(statistics.where)}</code>"


def _tiles(statistics: LabelStatistics) -> str:
    counts, ground_truth = statistics.counts, statistics.ground_truth
    concepts = statistics["concepts"]
    tiles = [
        (_count(counts["labels"]), f"labels, {_count(counts['kept'])} kept"),
        (_count(counts["images"]), f"images, {_count(counts['images_kept'])} with kept labels"),
        (
            _count(counts["concepts_kept"]),
            f"of {_count(len(concepts))} concepts of the pool have kept labels",
        ),
        (_share(_head_share(concepts)), "of kept labels belong to a tenth of the pool"),
        (_number(counts["probability_kept"]), "mean probability of kept labels"),
        (_share(counts["in_caption_kept"]), "of kept labels are mentioned in a caption"),
    ]
    if statistics.has_ground_truth:
        tiles += [
            (
                _count(ground_truth["objects"]),
                f"ground-truth objects; {ground_truth['categories_in_pool']} of "
                f"{ground_truth['categories']} categories are in the pool",
            ),
            (
                _share(counts["precision_kept"]),
                f"of the {_count(counts['on_objects_kept'])} kept labels on objects are correct",
            ),
            (_share(_none_if_nan(calibration_error(statistics))), "expected calibration error"),
        ]
    return tile_list(tiles)


def tile_list(tiles: Sequence[tuple[str, str]]) -> str:
    """Numbers in large, each with what it is."""
    items = "".join(
        f"<li><b>{escape(value)}</b><span>{escape(text)}</span></li>" for value, text in tiles
    )
    return f'<ul class="tiles">{items}</ul>'


def _section(section: ReportSection, folder: Path, statistics: LabelStatistics) -> str:
    title, text = escape(section.title), escape(section.text)
    parts = [image_tag(folder / file, title) for file in section.files]
    if section.name in _WITH_TABLE:
        parts.append(_table(statistics[section.name], _COLUMNS[section.name]))
    kind = "full" if len(parts) > 1 else "tall" if section.name == "concepts" else "half"
    start = f'<section class="{kind}">'
    return f'{start}<h2>{title}</h2><p>{text}</p><div class="row">{"".join(parts)}</div></section>'


def image_tag(path: Path, title: str) -> str:
    """A picture with its bytes, and a title in HTML."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{title}: {escape(path.stem)}" src="data:image/png;base64,{content}">'


def _concepts(rows: Sequence[Row], *, has_ground_truth: bool) -> str:
    columns = dict(_COLUMNS["concepts"])
    if not has_ground_truth:
        del columns["precision"]
    rest = len(rows) - _MAX_CONCEPTS
    note = f'<p class="note">{rest:,} rarer concepts are left out.</p>' if rest > 0 else ""
    table = _table(rows[:_MAX_CONCEPTS], columns)
    return f"<details><summary>All concepts</summary>{table}{note}</details>"


_WITH_TABLE: Final = ("thresholds", "sizes")  # sections with a table beside the plot
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


def _head_share(concepts: Sequence[Row]) -> float | None:
    """Share of the kept labels that belong to the most frequent tenth of the concepts."""
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
