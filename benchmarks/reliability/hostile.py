"""Hostile input: files, SQL, conditions and web requests that were made to do harm."""

from __future__ import annotations

import json
import random
import resource
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

from hypothesis import given, seed, settings
from starlette.testclient import TestClient

from benchmarks.reliability.forked import Child, warm
from benchmarks.reliability.hostile_texts import CONDITIONS, REQUESTS, STATEMENTS
from benchmarks.reliability.section import Count
from pipeline import sql
from pipeline.gallery.server import make_app
from pipeline.sql import limits
from pipeline.store import catalog
from schemas.errors import RCError
from tests.hostile.fuzzing import damaged
from tests.hostile.readers import byte_readers, json_readers, new_folder
from tests.hostile.values import mutations
from tests.pipeline import toys
from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hypothesis.strategies import SearchStrategy

TITLE = "Hostile input"
ABOUT = (
    "Each input is read (its bad records counted), or refused with one sentence of less than 3 kB. "
    "None ends in a traceback, takes more than 10 seconds of processor time, or more than 3 GB of "
    "address space beyond what the process began with: the limit is set, and what meets it fails."
)
_ROOM: Final = 3 << 30  # bytes of address space
_SECONDS: Final = 10
_OF_EACH: Final = 9  # inputs of each reader
_HOST: Final = "127.0.0.1:8000"


@dataclass(frozen=True)
class _Input:
    """Something to try: what it is, and what takes it."""

    name: str
    take: Callable[[], object]


def trials(folder: Path, *, short: bool) -> dict[str, Count]:
    """Try the inputs of each kind; see `section.Section`."""
    warm()  # what is loaded later would count against the limit of memory
    times = 1 if short else _OF_EACH
    root = folder / "store"
    for toy in toys.TOYS[:-1]:
        make(toy(), root)
    share = slice(0, None, 6 if short else 1)
    kinds = {
        "JSON with a hostile value": list(_json_files(folder / "json", times)),
        "files with changed bytes": list(_damaged_files(folder / "bytes", times)),
        "SQL": [_Input(one[0], partial(_query, root, *one)) for one in STATEMENTS[share]],
        "conditions": [_Input(text, partial(_condition, root, text)) for text in CONDITIONS[share]],
        "web requests": [
            _Input(f"{one[0]} {one[1]}", partial(_ask, root, one)) for one in REQUESTS[share]
        ],
    }
    return {kind: _count(inputs) for kind, inputs in kinds.items()}


def _count(inputs: Sequence[_Input]) -> Count:
    """Take the inputs in children, many in each; who ends a child is tried again alone."""
    start = time.monotonic()
    answers = _answers(inputs)
    count = Count(len(inputs), seconds=time.monotonic() - start)
    count.failures = [
        f"{one.name[:200]}: {said}" for one, said in zip(inputs, answers, strict=True) if said
    ]
    return count


def _answers(inputs: Sequence[_Input]) -> list[str]:
    """What was wrong with each input; empty if nothing was."""
    wrong: list[str] = []
    while len(wrong) < len(inputs):
        end = Child(partial(_take_all, inputs[len(wrong) :])).end()
        lines = [json.loads(line) for line in end.out.splitlines() if line.startswith('"')]
        wrong += lines
        if end.code:
            wrong.append(f"exit code {end.code}: {end.err[-800:]}")
    return wrong


def _take_all(inputs: Sequence[_Input]) -> None:
    """In a child: take inputs one after the other, and print what was wrong with each."""
    address = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (address + _ROOM, address + _ROOM))
    for one in inputs:
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # ends the child
        print(json.dumps(_wrong_with(one)), flush=True)


def _wrong_with(one: _Input) -> str:
    try:
        one.take()
    except RCError as error:
        text = str(error)
        return "" if text and len(text.encode()) < 3000 else f"a long sentence: {text[:80]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return ""


def _json_files(folder: Path, times: int) -> Iterator[_Input]:
    """Documents of every reader of JSON, each with one hostile value in one place."""
    for number, (name, (document, file, read)) in enumerate(json_readers().items()):
        images = new_folder(folder / str(number) / "images")
        (images / file).parent.mkdir(exist_ok=True)
        changed = list(mutations(document))
        for what, text in random.Random(name).sample(changed, min(times, len(changed))):
            yield _Input(f"{name}: {what}", partial(_read, images, file, text.encode(), read))


def _damaged_files(folder: Path, times: int) -> Iterator[_Input]:
    """Files of every other reader with some bytes changed, cut off or repeated."""
    folder.mkdir()
    for number, (name, reader) in enumerate(byte_readers(folder).items()):
        images = new_folder(folder / str(number) / "images")
        for content in _some(damaged(reader.good), times, number):
            yield _Input(name, partial(_read, images, reader.file, content, reader.read))


def _some(strategy: SearchStrategy[bytes], times: int, number: int) -> list[bytes]:
    """Examples of a strategy, the same every time."""
    contents: list[bytes] = []

    @seed(number)
    @settings(max_examples=times, database=None, deadline=None)
    @given(strategy)
    def collect(content: bytes) -> None:
        contents.append(content)

    collect()
    return contents


def _read(images: Path, file: str, content: bytes, read: Callable[[Path], object]) -> None:
    (images / file).write_bytes(content)
    read(images)


def _query(root: Path, text: str, must_refuse: bool) -> None:
    with sql.connect(root) as connection, sql.time_limit(connection, _SECONDS / 4):
        rows = sum(batch.num_rows for batch in sql.batches(sql.query(connection, text)))
    assert not must_refuse, f"{rows} rows instead of a refusal"


def _condition(root: Path, text: str) -> None:
    labels = catalog.find(root, "pseudo_labels")
    with mock.patch.object(limits, "CONDITION_S", _SECONDS / 4):  # an hour, as `rc sql` has it
        for batch in sql.matching(labels, labels.numbers[0], text):
            assert batch.num_rows >= 0


def _ask(root: Path, asked: tuple[str, str, dict[str, str]]) -> None:
    """Pass if the gallery answers; raises what a handler raises."""
    method, path, headers = asked
    with TestClient(make_app(root, [_HOST]), base_url=f"http://{_HOST}") as client:
        answer = client.request(method, path, headers=headers)
    assert answer.status_code in range(200, 500), answer.status_code
    assert b"Traceback" not in answer.content
    allowed = method in ("GET", "HEAD") and not headers
    assert allowed or answer.status_code in (403, 405), answer.status_code
