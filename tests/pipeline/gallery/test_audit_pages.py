"""The page Audit in a real browser: keys, buttons, names, lost answers, several reviewers."""

from __future__ import annotations

import json
import shutil
import threading
from typing import TYPE_CHECKING

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from pipeline import api
from pipeline.analysis.audits import sample_of
from pipeline.gallery.server import make_app
from pipeline.store.journals import journal_path
from stages.auditing.journal import Journal
from tests.pipeline.audited import judge
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from pipeline.store.artifact import Artifact
    from tests.pipeline.gallery.browser import Browser

pytestmark = pytest.mark.slow

SAVED = "document.querySelector('.saved')?.textContent === 'all saved'"
TITLE = "document.querySelector('.asked p').textContent"
PRESSED = "document.querySelector('[aria-pressed=true]')?.dataset.act ?? ''"


class Flaky:
    """The gallery behind a network: loses requests, or answers, to judgements while told to."""

    def __init__(self, root: Path, port: int) -> None:
        self.app = make_app(root, [f"127.0.0.1:{port}"])
        self.loses = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        judges = scope["type"] == "http" and scope["method"] == "POST"
        if judges and self.loses == "answer":

            async def nowhere(message: object) -> None:
                pass

            await self.app(scope, receive, nowhere)  # type: ignore[arg-type]
        if judges and self.loses:
            await PlainTextResponse("lost", 502)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Gallery:
    """A store with an audit, and where a browser finds it."""

    def __init__(self, audit: Artifact, address: str, flaky: Flaky) -> None:
        self.audit, self.address, self.network = audit, address, flaky
        self.journal = Journal(journal_path(audit.root, "first"))

    def verdicts(self) -> list[tuple[int, str, str | None, str]]:
        """Place, verdict, concept and reviewer of each last word."""
        rows = sample_of(self.audit)
        keys = list(zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True))
        return [
            (keys.index((j.image_id, j.region)), j.verdict, j.concept, j.reviewer)
            for j in self.journal.last_words()
        ]


@pytest.fixture
def gallery(root: Path, tmp_path: Path) -> Iterator[Gallery]:
    import socket

    store = api.Store(shutil.copytree(root, tmp_path / "store"))
    audit = store.run("audit draw", called="first", size=20, strata=3)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        flaky = Flaky(tmp_path / "store", port)
        server = uvicorn.Server(uvicorn.Config(flaky, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until(lambda: server.started, "the gallery never opened")
        yield Gallery(audit, f"http://127.0.0.1:{port}", flaky)
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def page(gallery: Gallery, browser: Browser) -> Iterator[Browser]:
    """The browser, at the first region of the audit."""
    browser.open(f"{gallery.address}/#audit?name=first")
    browser.evaluate("localStorage.clear()")
    yield browser
    browser.resize(1200)


def place(page: Browser) -> int:
    """Of the region that is shown, from 0."""
    return int(page.evaluate(TITLE).split(" of ")[0]) - 1


def test_every_key_gives_its_verdict_and_the_next_region(gallery: Gallery, page: Browser) -> None:
    for key in "rjwkub":
        page.press(key)
    page.wait_until(SAVED)
    expected = ["right", "right", "wrong", "wrong", "unsure", "wrong-box"]
    assert gallery.verdicts() == [(n, said, None, "") for n, said in enumerate(expected)]
    assert place(page) == 6
    assert "6 of 20 judged, 1 open, 14 left for you" in page.evaluate(
        "document.querySelector('.progress').textContent"
    )
    assert page.errors == []


def test_buttons_do_what_keys_do(gallery: Gallery, page: Browser) -> None:
    for act in ("right", "wrong", "wrong-box", "unsure"):
        page.evaluate(f"document.querySelector('[data-act={act}]').click()")
    page.evaluate("document.querySelector('[data-act=undo]').click()")
    page.wait_until(SAVED)
    said = [verdict for _, verdict, _, _ in gallery.verdicts()]
    assert (said, place(page)) == (["right", "wrong", "wrong-box"], 3)


def test_a_region_is_shown_in_its_image_and_by_itself(gallery: Gallery, page: Browser) -> None:
    row = sample_of(gallery.audit).to_pylist()[0]
    box = page.evaluate(
        "['x', 'y', 'width', 'height'].map((name) => "
        "Number(document.querySelector('.stage rect').getAttribute(name)))"
    )
    expected = [row["x0"], row["y0"], row["x1"] - row["x0"], row["y1"] - row["y0"]]
    assert box == pytest.approx(expected, abs=1e-3)
    page.wait_until("[...document.querySelectorAll('#page img')].every((i) => i.naturalWidth > 0)")
    assert page.evaluate("document.querySelectorAll('#page img').length") == 2
    assert page.evaluate("document.querySelector('.asked h2').textContent") != ""


def test_pictures_of_the_next_region_are_there_before_it(page: Browser) -> None:
    fetched = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    page.wait_until(f"{fetched}.filter((name) => name.includes('picture/crop')).length >= 3")
    before = set(page.evaluate(fetched))
    page.press("r")
    shown = page.evaluate("[...document.querySelectorAll('#page img')].map((image) => image.src)")
    assert set(shown) <= before


def test_arrows_skip_and_go_back_to_what_was_judged(gallery: Gallery, page: Browser) -> None:
    page.press("r")
    page.press("ArrowRight")
    assert place(page) == 2
    page.press("w")
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    assert (place(page), page.evaluate(PRESSED)) == (0, "right")
    page.press("w")
    assert place(page) == 1  # the one that was skipped
    page.wait_until(SAVED)
    assert sorted(gallery.verdicts()) == [(0, "wrong", None, ""), (2, "wrong", None, "")]


def test_undo_gives_back_what_was_said_before(gallery: Gallery, page: Browser) -> None:
    page.press("r")
    page.press("ArrowLeft")
    page.press("w")
    page.press("z")
    assert (place(page), page.evaluate(PRESSED)) == (0, "right")
    page.press("z")
    page.wait_until(SAVED)
    assert (place(page), page.evaluate(PRESSED), gallery.verdicts()) == (0, "", [])
    page.press("z")
    assert "nothing to undo" in page.evaluate("document.body.textContent")


def test_a_rename_is_wrong_with_a_concept_of_the_pool(gallery: Gallery, page: Browser) -> None:
    page.press("n")
    page.evaluate(
        "(() => { const input = document.activeElement; input.value = 'do'; "
        "input.dispatchEvent(new Event('input')); })()"
    )
    page.wait_until("[...document.querySelectorAll('datalist option')].some((o) => o.value)")
    names = page.evaluate("[...document.querySelectorAll('datalist option')].map((o) => o.value)")
    assert all("do" in name for name in names)
    page.press("r")  # a letter of the name, not a verdict
    page.evaluate("document.activeElement.value = ' dog '")
    page.press("Enter")
    page.wait_until(SAVED)
    assert gallery.verdicts() == [(0, "wrong", "dog", "")]
    page.press("n")
    page.press("Escape")
    page.press("j")
    page.wait_until(SAVED)
    assert gallery.verdicts()[1] == (1, "right", None, "")


def test_a_request_that_is_lost_is_shown_and_sent_again(gallery: Gallery, page: Browser) -> None:
    gallery.network.loses = "request"
    page.press("r")
    page.press("w")
    page.wait_until("document.body.textContent.includes('2 judgements are not saved yet')")
    assert gallery.verdicts() == []
    page.errors.clear()  # of the network
    gallery.network.loses = ""
    page.wait_until(SAVED)
    assert gallery.verdicts() == [(0, "right", None, ""), (1, "wrong", None, "")]
    assert "not saved" not in page.evaluate("document.body.textContent")


def test_an_answer_that_is_lost_does_not_count_twice(gallery: Gallery, page: Browser) -> None:
    gallery.network.loses = "answer"
    page.press("r")
    page.wait_until("document.body.textContent.includes('not saved yet')")
    gallery.network.loses = ""
    page.wait_until(SAVED)
    lines = gallery.journal.path.read_text().splitlines()
    assert len(lines) >= 2
    assert len({json.loads(line)["id"] for line in lines}) == len(gallery.journal.judgements()) == 1


def test_what_waits_outlives_the_page(gallery: Gallery, page: Browser) -> None:
    gallery.network.loses = "request"
    page.press("r")
    page.wait_until("document.body.textContent.includes('not saved yet')")
    page.evaluate("history.replaceState(null, '', '#overview')")
    gallery.network.loses = ""
    page.open(f"{gallery.address}/?again#audit?name=first")
    until(lambda: gallery.verdicts() == [(0, "right", None, "")], "it was never sent")
    page.wait_until("Object.keys(localStorage).every((key) => !key.startsWith('judgement '))")
    assert gallery.verdicts() == [(0, "right", None, "")]


def test_a_refused_judgement_is_shown(gallery: Gallery, page: Browser) -> None:
    store = api.Store(gallery.audit.root)
    store.run("audit draw", called="first", size=20, strata=3, seed=9, where="region % 2 = 1")
    row = sample_of(gallery.audit)["region"].to_pylist()
    while row[place(page)] % 2:
        page.press("ArrowRight")
    page.press("r")
    page.wait_until("document.body.textContent.includes('was drawn anew; reload the page')")
    assert not gallery.journal.path.exists()


def test_each_reviewer_is_asked_all_and_remembered(gallery: Gallery, page: Browser) -> None:
    page.press("r")
    page.wait_until(SAVED)
    page.evaluate(
        "(() => { const name = document.querySelector('.filters input'); name.value = 'ann'; "
        "name.dispatchEvent(new Event('change')); })()"
    )
    page.wait_until("document.querySelector('.progress').textContent.includes('20 left for you')")
    assert (place(page), page.evaluate(PRESSED)) == (0, "")
    page.press("w")
    page.wait_until("document.querySelector('.progress').textContent.includes('19 left for you')")
    assert gallery.verdicts() == [(0, "right", None, ""), (0, "wrong", None, "ann")]
    page.open(f"{gallery.address}/?again#audit?name=first")
    assert page.evaluate("document.querySelector('.filters input').value") == "ann"
    assert place(page) == 1


def test_what_another_browser_said_is_not_asked_again(gallery: Gallery, page: Browser) -> None:
    judge(gallery.audit, {1: "right", 2: "right"})
    page.press("r")
    page.wait_until("document.querySelector('.progress').textContent.startsWith('3 of 20')")
    assert place(page) == 1  # it was shown already; the answer came after
    page.press("w")
    page.wait_until("document.querySelector('.progress').textContent.includes('17 left for you')")
    assert place(page) == 3
    assert len(gallery.journal.judgements()) == 4


@pytest.mark.parametrize("width", [1200, 360])
def test_the_list_and_the_page_fit_the_screen(gallery: Gallery, page: Browser, width: int) -> None:
    page.resize(width)
    for route in ("audit", "audit?name=first"):
        page.open(f"{gallery.address}/?{width}{len(route)}#{route}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.errors == []
    page.open(f"{gallery.address}/#audit")
    assert "0 of 20" in page.evaluate("document.querySelector('tbody').textContent")
    page.evaluate("document.querySelector('tbody a').click()")
    page.wait_until("document.querySelector('.verdicts') !== null")


def test_hostile_words_stay_text(gallery: Gallery, page: Browser) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    judge(gallery.audit, {0: "wrong"}, concept=hostile, reviewer=hostile)
    page.evaluate(f"localStorage.setItem('reviewer', {json.dumps(hostile)})")
    page.open(f"{gallery.address}/?again#audit?name=first")
    while "scenes/000000" not in page.evaluate(TITLE):  # its caption is a script
        before = place(page)
        page.press("ArrowRight")
        if place(page) == before:
            break
    assert page.evaluate("document.querySelectorAll('#page script, #page [onerror]').length") == 0
    assert page.evaluate("document.querySelector('.filters input').value") == hostile
    assert page.errors == []
    page.open(f"{gallery.address}/#audit?name={'%3Cscript%3E'}")
    assert "there is no audit of that name" in page.evaluate("document.body.textContent")
