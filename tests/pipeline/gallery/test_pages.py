"""The pages in a real browser: they are drawn, they answer to keys, and words stay words."""

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

IMAGE = "image?id=scenes%2F000001"
OF_BOTH = "[...document.querySelectorAll('.pair figure')].map((one) => {})"


def sides(root: Path) -> str:
    """Address of the comparison of the teacher with its student."""
    labels = {found["words"].split(" by ")[-1][:4]: found["of"] for found in _sides(root)}
    given = {"id": "scenes/000001", "left": labels["teac"], "right": labels["stud"]}
    return f"image?{urlencode(given)}"


def _sides(root: Path) -> Sequence[dict[str, Any]]:
    from pipeline.gallery.comparison_sides import available_sides

    found = available_sides(ConnectionPool(root), "", annotated=False)
    return [one for one in found if "pseudo-labels" in one["words"] and "pool" in one["words"]]


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize(
    ("page", "shown"),
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
    ],
)
def test_every_page_is_drawn_without_a_complaint_and_fits(
    address: str, browser: Browser, page: str, shown: str, width: int
) -> None:
    browser.resize(width)
    browser.open(f"{address}/#{page}")
    browser.until(f"document.body.outerHTML.includes({json.dumps(shown)})")
    assert browser.complaints == []
    assert browser.see("document.documentElement.scrollWidth") <= width
    browser.resize(1200)


def test_a_model_is_shown_with_what_it_scored(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#training")
    model = browser.see("document.querySelector('h2 code').textContent")
    assert browser.see("document.querySelector('tbody td code').textContent") == model
    assert "%" in browser.see("document.querySelector('tbody').textContent")


def test_a_hostile_caption_stays_text(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#image?id=scenes%2F000000")
    content = browser.see("document.body.outerHTML")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in content
    assert not re.search(r"<img[^>]* onerror", re.sub(r'"[^"]*"', '""', content))
    assert browser.see("document.querySelectorAll('#page script').length") == 0
    assert browser.complaints == []


def test_two_sides_are_drawn_and_their_differences_counted(
    address: str, browser: Browser, root: Path
) -> None:
    browser.open(f"{address}/#{sides(root)}")
    assert browser.see("document.querySelectorAll('.pair .stage img').length") == 2
    places = browser.see(
        "[...document.querySelectorAll('.pair figure')].map((one) => "
        "{ const box = one.getBoundingClientRect(); return [box.left, box.right, box.top]; })"
    )
    assert places[0][1] <= places[1][0]
    count = browser.see("document.querySelector('.pair + p').textContent")
    other = int(re.match(r"(\d+) another name", count)[1])  # type: ignore[index]
    assert browser.see("document.querySelectorAll('tr.other').length") == other
    assert browser.see("document.querySelectorAll('.pair g.other').length") == 2 * other
    names = browser.see(
        "[...document.querySelectorAll('tr.other')].map((row) => "
        "[row.cells[0].textContent, row.cells[2].textContent])"
    )
    assert all(left != right for left, right in names)
    assert browser.complaints == []


def test_what_is_pointed_at_lights_up_on_both_sides(
    address: str, browser: Browser, root: Path
) -> None:
    browser.open(f"{address}/#{sides(root)}")
    browser.point(".pair figure:first-child g")
    lit = OF_BOTH.format("one.querySelectorAll('g.on').length")
    assert browser.see(lit) == [1, 1]
    browser.point("h1")
    assert browser.see(lit) == [0, 0]
    browser.see("document.querySelector('tbody tr').focus()")
    assert sum(browser.see(lit)) >= 1


def test_on_a_phone_the_sides_lie_below_each_other(
    address: str, browser: Browser, root: Path
) -> None:
    browser.resize(360)
    browser.open(f"{address}/#{sides(root)}")
    first, second = browser.see(OF_BOTH.format("one.getBoundingClientRect().top"))
    assert second > first
    assert browser.see("document.documentElement.scrollWidth") <= 360
    browser.resize(1200)


def test_the_form_puts_both_sides_into_the_address(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#{IMAGE}")
    browser.see("document.querySelector('form.sides button').click()")
    browser.until("document.querySelectorAll('.pair figure').length === 2")
    assert "left=" in browser.see("location.hash")
    assert "right=truth" in browser.see("location.hash")


def test_arrow_keys_turn_to_the_next_image_that_was_chosen(address: str, browser: Browser) -> None:
    way = "document.querySelector('.way[href*=\"{}\"]') !== null"
    browser.open(f"{address}/#image?id=scenes%2F000002&split=scenes")
    browser.until(way.format("000003"))
    browser.press("ArrowRight")
    browser.until(way.format("000004"))
    assert browser.see("location.hash") == "#image?split=scenes&id=scenes%2F000003"
    browser.until(way.format("000002"))
    browser.press("ArrowLeft")
    browser.until("document.querySelector('h1')?.textContent === 'scenes/000002'")
    browser.open(f"{address}/#image?id=scenes%2F000000")
    browser.until(way.format("000001"))
    browser.press("ArrowLeft")
    assert "000000" in browser.see("location.hash")


def test_arrow_keys_walk_over_the_cards(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images")
    browser.see("document.querySelector('.grid a').focus()")
    focus = "document.activeElement.title"
    browser.press("ArrowRight")
    assert browser.see(focus) == "scenes/000001"
    browser.press("ArrowLeft")
    assert browser.see(focus) == "scenes/000000"
    browser.press("Enter")
    browser.until("location.hash.startsWith('#image?')")


@pytest.mark.parametrize("page", ["constructor", "__proto__", "toString", "nowhere"])
def test_a_page_that_is_none_is_the_first(address: str, browser: Browser, page: str) -> None:
    browser.open(f"{address}/#{page}")
    assert browser.see("document.querySelector('h1').textContent") == "Overview"
    assert browser.complaints == []


def test_the_filters_choose_and_stay_in_the_address(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images")
    browser.see(
        "document.querySelector('[name=text]').value = 'ONERROR'; "
        "document.querySelector('form.filters button').click()"
    )
    browser.until("location.hash.includes('text=ONERROR')")
    browser.until("document.querySelectorAll('.grid a').length === 1")


def test_a_wrong_number_is_answered_with_a_sentence(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images?probability=much")
    assert "a number from 0 to 1" in browser.see("document.querySelector('.problem').textContent")
    assert browser.see("document.querySelector('[name=probability]').value") == "much"


def test_the_heads_of_columns_sort(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#concepts")
    cells = "[...document.querySelectorAll('tbody tr')].map((row) => row.cells[{}].textContent)"
    browser.see("document.querySelectorAll('th button')[0].click()")
    names = browser.see(cells.format(0))
    assert names == sorted(names)
    browser.see("document.querySelectorAll('th button')[3].click()")
    shares = [float(cell) for cell in browser.see(cells.format(3)) if cell]
    assert shares == sorted(shares, reverse=True)
    assert browser.see("document.querySelector('[aria-sort]').textContent").startswith("mean")


def test_cards_far_away_are_not_kept(address: str, browser: Browser) -> None:
    browser.open(f"{address}/#images")
    browser.until("document.querySelectorAll('.grid a').length === 6")
    browser.see("document.querySelector('h1').style.height = '9000px'")  # pushes them far away
    browser.until("document.querySelectorAll('.grid a').length === 0")
    browser.see("document.querySelector('h1').style.height = ''")
    browser.until("document.querySelectorAll('.grid a').length === 6")
