"""The pages in a real browser: they render, react to keys, and show words only as text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from pipeline.gallery.connection_pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.pipeline.gallery.browser import Browser

pytestmark = pytest.mark.slow

IMAGE = "image?id=scenes%2F000001"
ON_BOTH_SIDES = "[...document.querySelectorAll('.pair figure')].map((figure) => {})"


def comparison_address(root: Path) -> str:
    """Address of the comparison of the teacher with its student."""
    labels = {side["words"].split(" by ")[-1][:4]: side["of"] for side in _label_sides(root)}
    parameters = {"id": "scenes/000001", "left": labels["teac"], "right": labels["stud"]}
    return f"image?{urlencode(parameters)}"


def _label_sides(root: Path) -> Sequence[dict[str, Any]]:
    from pipeline.gallery.comparison_sides import available_sides

    sides = available_sides(ConnectionPool(root), "", annotated=False)
    words = ("pseudo-labels", "pool")
    return [side for side in sides if all(word in side["words"] for word in words)]


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize(
    ("page", "content"),
    [
        ("overview", "Lineage"),
        ("images", "picture/thumb"),
        (IMAGE, "pseudo-labels"),
        ("concepts", "mean probability"),
        ("concepts?only=near", "cosine"),
        ("what-if", "Would be kept"),
        ("training", "Training"),
        ("evaluation", "Confusions"),
        ("search?text=a+dog", "Regions most similar"),
        ("suspicions", "rc suspect"),
    ],
)
def test_every_page_renders_without_an_error_and_fits_the_screen(
    address: str, browser: Browser, page: str, content: str, width: int
) -> None:
    browser.resize(width)
    browser.open(f"{address}/#{page}")
    browser.wait_until(f"document.body.outerHTML.includes({json.dumps(content)})")
    assert browser.errors == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.resize(1200)


def test_a_model_is_shown_with_its_metrics(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#training")
    model = browser.evaluate("document.querySelector('h2 code').textContent")
    assert browser.evaluate("document.querySelector('tbody td code').textContent") == model
    assert "%" in browser.evaluate("document.querySelector('tbody').textContent")


def test_a_hostile_caption_stays_text(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#image?id=scenes%2F000000")
    content = browser.evaluate("document.body.outerHTML")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in content
    assert not re.search(r"<img[^>]* onerror", re.sub(r'"[^"]*"', '""', content))
    assert browser.evaluate("document.querySelectorAll('#page script').length") == 0
    assert browser.errors == []


def test_a_comparison_shows_two_sides_and_counts_their_differences(
    address: str, browser: Browser, root: Path
) -> None:
    browser.open(f"{address}/#{comparison_address(root)}")
    assert browser.evaluate("document.querySelectorAll('.pair .stage img').length") == 2
    edges = browser.evaluate(
        "[...document.querySelectorAll('.pair figure')].map((figure) => "
        "{ const box = figure.getBoundingClientRect(); return [box.left, box.right, box.top]; })"
    )
    assert edges[0][1] <= edges[1][0]
    count = browser.evaluate("document.querySelector('.pair + p').textContent")
    other = int(re.match(r"(\d+) another name", count)[1])  # type: ignore[index]
    assert browser.evaluate("document.querySelectorAll('tr.other').length") == other
    assert browser.evaluate("document.querySelectorAll('.pair g.other').length") == 2 * other
    names = browser.evaluate(
        "[...document.querySelectorAll('tr.other')].map((row) => "
        "[row.cells[0].textContent, row.cells[2].textContent])"
    )
    assert all(left != right for left, right in names)
    assert browser.errors == []


def test_a_box_under_the_pointer_is_highlighted_on_both_sides(
    address: str, browser: Browser, root: Path
) -> None:
    browser.open(f"{address}/#{comparison_address(root)}")
    browser.hover(".pair figure:first-child g")
    highlighted = ON_BOTH_SIDES.format("figure.querySelectorAll('g.on').length")
    assert browser.evaluate(highlighted) == [1, 1]
    browser.hover("h1")
    assert browser.evaluate(highlighted) == [0, 0]
    browser.evaluate("document.querySelector('tbody tr').focus()")
    assert sum(browser.evaluate(highlighted)) >= 1


def test_on_a_phone_the_sides_are_below_each_other(
    address: str, browser: Browser, root: Path
) -> None:
    browser.resize(360)
    browser.open(f"{address}/#{comparison_address(root)}")
    first, second = browser.evaluate(ON_BOTH_SIDES.format("figure.getBoundingClientRect().top"))
    assert second > first
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    browser.resize(1200)


def test_the_form_puts_both_sides_into_the_address(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#{IMAGE}")
    browser.evaluate("document.querySelector('form.sides button').click()")
    browser.wait_until("document.querySelectorAll('.pair figure').length === 2")
    assert "left=" in browser.evaluate("location.hash")
    assert "right=truth" in browser.evaluate("location.hash")


def test_arrow_keys_go_to_the_neighbours_in_the_filtered_list(
    address: str, browser: Browser
) -> None:
    link = "document.querySelector('.way[href*=\"{}\"]') !== null"
    browser.open(f"{address}/#image?id=scenes%2F000002&split=scenes")
    browser.wait_until(link.format("000003"))
    browser.press("ArrowRight")
    browser.wait_until(link.format("000004"))
    assert browser.evaluate("location.hash") == "#image?split=scenes&id=scenes%2F000003"
    browser.wait_until(link.format("000002"))
    browser.press("ArrowLeft")
    browser.wait_until("document.querySelector('h1')?.textContent === 'scenes/000002'")
    browser.open(f"{address}/#image?id=scenes%2F000000")
    browser.wait_until(link.format("000001"))
    browser.press("ArrowLeft")
    assert "000000" in browser.evaluate("location.hash")


def test_arrow_keys_move_over_the_cards(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images")
    browser.evaluate("document.querySelector('.grid a').focus()")
    focus = "document.activeElement.title"
    browser.press("ArrowRight")
    assert browser.evaluate(focus) == "scenes/000001"
    browser.press("ArrowLeft")
    assert browser.evaluate(focus) == "scenes/000000"
    browser.press("Enter")
    browser.wait_until("location.hash.startsWith('#image?')")


@pytest.mark.parametrize("page", ["constructor", "__proto__", "toString", "nowhere"])
def test_an_unknown_page_is_the_overview(address: str, browser: Browser, page: str) -> None:
    browser.open(f"{address}/#{page}")
    assert browser.evaluate("document.querySelector('h1').textContent") == "Overview"
    assert browser.errors == []


def test_the_filters_apply_and_stay_in_the_address(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images")
    browser.evaluate(
        "document.querySelector('[name=text]').value = 'ONERROR'; "
        "document.querySelector('form.filters button').click()"
    )
    browser.wait_until("location.hash.includes('text=ONERROR')")
    browser.wait_until("document.querySelectorAll('.grid a').length === 1")
    assert browser.evaluate("document.querySelector('[name=text]').value") == "ONERROR"


def test_a_wrong_number_gets_a_sentence_and_stays_in_the_form(
    address: str, browser: Browser
) -> None:
    browser.open(f"{address}/#images?probability=much")
    assert "a number from 0 to 1" in browser.evaluate(
        "document.querySelector('.problem').textContent"
    )
    assert browser.evaluate("document.querySelector('[name=probability]').value") == "much"


def test_column_headers_sort_the_table(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#concepts")
    cells = "[...document.querySelectorAll('tbody tr')].map((row) => row.cells[{}].textContent)"
    browser.evaluate("document.querySelectorAll('th button')[0].click()")
    names = browser.evaluate(cells.format(0))
    assert names == sorted(names)
    browser.evaluate("document.querySelectorAll('th button')[3].click()")
    shares = [float(cell) for cell in browser.evaluate(cells.format(3)) if cell]
    assert shares == sorted(shares, reverse=True)
    assert browser.evaluate("document.querySelector('[aria-sort]').textContent").startswith("mean")


def test_cards_far_from_the_viewport_are_removed(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images")
    browser.wait_until("document.querySelectorAll('.grid a').length === 6")
    browser.evaluate(
        "document.querySelector('h1').style.height = '9000px'"
    )  # moves them out of the viewport
    browser.wait_until("document.querySelectorAll('.grid a').length === 0")
    browser.evaluate("document.querySelector('h1').style.height = ''")
    browser.wait_until("document.querySelectorAll('.grid a').length === 6")
    assert browser.errors == []


def test_a_search_begins_with_examples(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#search")
    browser.wait_until("document.querySelectorAll('.examples a').length > 0")
    example = browser.evaluate("document.querySelector('.examples a').textContent")
    browser.evaluate("document.querySelector('.examples a').click()")
    browser.wait_until(f"document.body.textContent.includes('similar to “{example}”')")
    assert browser.errors == []


def test_a_card_marks_the_boxes_of_the_concept_that_was_looked_for(
    address: str, browser: Browser
) -> None:
    browser.open(f"{address}/#search")
    browser.wait_until("document.querySelectorAll('.examples a').length > 0")
    concept = browser.evaluate("document.querySelector('.examples a').textContent")
    browser.open(f"{address}/#images?{urlencode({'concept': concept})}")
    browser.wait_until("document.querySelectorAll('.grid a').length > 0")
    marked = (
        "[...document.querySelectorAll('.grid a')].map((a) => a.querySelectorAll('rect').length)"
    )
    assert all(1 <= count <= 5 for count in browser.evaluate(marked))
    browser.open(f"{address}/#images")
    browser.wait_until("document.querySelectorAll('.grid a').length === 6")
    assert sum(browser.evaluate(marked)) == 0
    assert browser.errors == []


CROWD = (
    "import('./static/stage.js').then(({ drawBoxes, lightTogether, stage }) => { "
    "const found = { image_id: 'scenes/000001', width: 320, height: 256, captions: [] }; "
    "const { layer, element } = stage(found); "
    "const root = document.createElement('div'); root.append(element); "
    "document.getElementById('page').replaceChildren(root); lightTogether(root); "
    "const boxes = Array.from({ length: %d }, (_, n) => ({ kind: 'label', key: `${n}`, "
    "name: `n${n}`, "
    "score: 1 - n / 100, x0: 40 * (n %% 8), y0: 40 * Math.floor(n / 8), "
    "x1: 40 * (n %% 8) + 35, y1: 40 * Math.floor(n / 8) + 35 })); "
    "drawBoxes(layer, found, boxes); })"
)


@pytest.mark.parametrize(("boxes", "crowded"), [(12, False), (40, True)])
def test_many_boxes_are_thin_except_those_under_the_pointer(
    address: str, browser: Browser, boxes: int, crowded: bool
) -> None:
    browser.open(f"{address}/#search")
    browser.evaluate(CROWD % boxes)
    browser.wait_until(f"document.querySelectorAll('.stage g').length === {boxes}")
    styled = "[...document.querySelectorAll('.stage {}')].filter((one) => getComputedStyle(one).{})"
    names = f"{styled.format('text', 'display !== `none`')}.map((one) => one.textContent)"
    assert len(browser.evaluate(names)) <= 12
    faint = f"{styled.format('rect', 'opacity < 1')}.length"
    browser.hover("nav a")
    assert browser.evaluate(faint) == (boxes if crowded else 0)
    browser.hover('.stage g[data-key="5"] rect')
    assert browser.evaluate(faint) == (boxes - 1 if crowded else 0)
    assert "n5 0.95" in browser.evaluate(names)
    if crowded:
        assert browser.evaluate(names) == ["n5 0.95"]
    assert browser.errors == []


def test_a_box_that_was_clicked_stays_highlighted_until_the_next_click(
    address: str, browser: Browser
) -> None:
    browser.open(f"{address}/#search")
    browser.evaluate(CROWD % 40)
    browser.wait_until("document.querySelectorAll('.stage g').length === 40")
    click = (
        "document.querySelector('.stage g[data-key=\"{}\"] rect')"
        ".dispatchEvent(new MouseEvent('click', {{ bubbles: true }}))"
    )
    chosen = "[...document.querySelectorAll('.stage g.chosen')].map((one) => one.dataset.key)"
    browser.evaluate(click.format(5))
    browser.hover("nav a")
    assert browser.evaluate(chosen) == ["5"]
    browser.evaluate(click.format(7))
    assert browser.evaluate(chosen) == ["7"]
    browser.evaluate(click.format(7))
    assert browser.evaluate(chosen) == []
