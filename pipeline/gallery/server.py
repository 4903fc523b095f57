"""The gallery's application: pages, their questions as JSON, and pictures."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline.gallery import models, questions
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.guard import Guard
from pipeline.gallery.media import SIDES, Media
from pipeline.gallery.sides import side
from pipeline.gallery.synonyms import synonyms
from pipeline.sql.json_values import json_value
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.requests import Request
    from starlette.types import ASGIApp

STATIC: Final = Path(__file__).parent / "static"
_HITS: Final = 24  # of a search
_PICTURES: Final = max(2, (os.cpu_count() or 2) // 2)  # made at a time; questions come first


def make_app(root: Path, hosts: Collection[str], *, anywhere: bool = False) -> ASGIApp:
    """The application over a store.

    Args:
        root: The store.
        hosts: Names, with port, that it answers to.
        anywhere: Whether it listens on all addresses of the machine.
    """
    desk = _Desk(root)
    routes = [
        Route("/", lambda _: FileResponse(STATIC / "index.html")),
        Route("/api/{question}", desk.answer),
        Route("/picture/{kind}", desk.picture),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Guard(Starlette(routes=routes), hosts, anywhere=anywhere)


class _Desk:
    """Answers requests."""

    def __init__(self, root: Path) -> None:
        connections = ConnectionPool(root)
        self._media = Media(connections)
        self._few = asyncio.Semaphore(_PICTURES)
        self._questions: dict[str, Callable[[dict[str, str]], Any]] = {
            "overview": lambda _: questions.overview(connections),
            "images": lambda given: questions.images(connections, given),
            "image": lambda given: questions.image(connections, given),
            "side": lambda given: side(connections, given),
            "concepts": lambda given: _concepts(connections, given),
            "concept": lambda given: questions.concept(connections, given),
            "synonyms": lambda given: _synonyms(connections, given),
            "what-if": lambda given: questions.what_if(connections, given),
            "training": lambda _: models.training(connections),
            "evaluations": lambda _: models.evaluations(connections),
            "evaluation": lambda given: models.evaluation(connections, given),
            "search": lambda given: _search(connections, given),
        }

    def answer(self, request: Request) -> Response:
        """A question of a page, as JSON; a sentence where it has no answer."""
        question = self._questions.get(request.path_params["question"])
        if question is None:
            return PlainTextResponse("There is no such question.", 404)
        try:
            return JSONResponse(json_value(question(dict(request.query_params))))
        except RCError as error:
            return JSONResponse({"problem": str(error)}, 422)
        except ValueError as error:
            return JSONResponse({"problem": f"a number was expected: {error}"}, 422)

    async def picture(self, request: Request) -> Response:
        """An image of the store, or a part of one, as JPEG."""
        async with self._few:
            if await request.is_disconnected():  # scrolled past while it waited
                return Response(status_code=204)
            return await run_in_threadpool(self._picture, request)

    def _picture(self, request: Request) -> Response:
        try:
            content = self._pixels(request.path_params["kind"], dict(request.query_params))
        except (RCError, ValueError) as error:
            return PlainTextResponse(str(error), 404)
        return Response(content, media_type="image/jpeg", headers={"cache-control": "max-age=600"})

    def _pixels(self, kind: str, given: dict[str, str]) -> bytes:
        image_id, labels = given.get("id", ""), given.get("labels", "")
        if kind in SIDES:
            return self._media.image(image_id, kind, labels)
        box = [float(edge) for edge in given.get("box", "").split(",")]
        if kind != "crop" or len(box) != 4 or not all(map(math.isfinite, box)):
            raise ValueError("a picture is thumb, full, or crop with box=x0,y0,x1,y1")
        return self._media.crop(image_id, box, labels)


def _concepts(connections: ConnectionPool, given: dict[str, str]) -> Any:
    labels = connections.chosen(given.get("labels", ""))
    return connections.once(
        ("concepts", labels), lambda: questions.concepts(connections, {"labels": labels})
    )


def _synonyms(connections: ConnectionPool, given: dict[str, str]) -> Any:
    labels = connections.chosen(given.get("labels", ""))
    return connections.once(("synonyms", labels), lambda: synonyms(connections, labels))


def _search(connections: ConnectionPool, given: dict[str, str]) -> dict[str, Any]:
    """Regions most like a text, or like another region, by the features behind the labels."""
    from pipeline.searching import FeatureCorpus, nearest
    from pipeline.searching.query_vectors import by_region, by_text

    labels = connections.chosen(given.get("labels", ""))
    features = connections.shown("features", labels)
    corpus = FeatureCorpus.find(
        connections.root,
        features.address if features else None,
        labels if labels in connections.labels() else None,
    )
    if given.get("region"):
        asked = by_region(corpus, given["region"])
    else:
        asked = by_text(corpus, given.get("text", ""))
    hits = nearest(corpus, asked.vector, _HITS, but=asked.itself)
    return {"hits": hits.to_pylist()}
