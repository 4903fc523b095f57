"""Ranks that something else started: one artifact and one answer, or one sentence."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.execution import rank_session
from pipeline.execution.planning import plan
from schemas.errors import ArtifactError, OptionError, RCError, StageError
from stages.embed_concepts import EmbedConcepts
from tests.pipeline.execution.texts import GroupOfThreads, Texts
from tests.pipeline.helpers import ROOT
from tests.pipeline.rank_toys import Pretrain
from tests.waiting import HANG_S, until, until_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.execution.planning import Plan

TOY = Pretrain(steps=4, device="cpu", threads=1)
RC = [sys.executable, "-m", "tests.pipeline.rank_toys"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TORCHRUN += ["-m", *RC[2:]]
WORDS = ["pretrain", "--steps", "4", "--device", "cpu"]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def ends(*processes: subprocess.Popen[str]) -> list[Ended]:
    ended = []
    for process in processes:
        out, err = process.communicate(timeout=HANG_S)
        ended.append(Ended(process.returncode, out, err))
    return ended


def start(*words: str | Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(map(str, words)),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def two_ranks(*words: list[str | Path]) -> list[Ended]:
    """How two ranks end that are started as a script of Slurm's would, each with its words."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [
        start(*RC, *WORDS, *own, RANK=str(rank), LOCAL_RANK=str(rank), **place)
        for rank, own in enumerate(words)
    ]
    return ends(*ranks)


@pytest.mark.slow
def test_under_torchrun_one_artifact_is_made_and_told_once(root: Path, tmp_path: Path) -> None:
    (ended,) = ends(start(*TORCHRUN, *WORDS, "--store", root, "--watched", tmp_path))
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in tmp_path.glob("rank-*")) == ["rank-0", "rank-1"]
    assert re.fullmatch(r"teachers/v1-\w+  4 steps over 4 images: .*\n", ended.out)
    assert ended.err.count("said by every rank") == 2  # a warning of one: its text and its line
    assert ended.err.count("rc view draws the curve") == 1
    (folder,) = (path for path in (root / "teachers").iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {
        *("manifest.json", "part-00000.parquet", "parts.jsonl", "recency.json", "weights.txt")
    }


@pytest.mark.slow
def test_the_ranks_of_a_killed_torchrun_end(root: Path, tmp_path: Path) -> None:
    trouble = ["--watched", tmp_path, "--trouble", "1:2:waits"]
    process = start(*TORCHRUN, *WORDS, "--store", root, *trouble)
    until((tmp_path / "waits").exists, "the ranks do not begin")
    pids = [int((tmp_path / f"rank-{rank}").read_text()) for rank in (0, 1)]
    process.kill()
    (ended,) = ends(process)
    assert ended.code == -9
    assert until_ended(*pids)


@pytest.mark.slow
def test_ranks_with_other_options_are_one_sentence(root: Path) -> None:
    store = ["--store", root]
    first, second = two_ranks(store, [*store, "--seed", "7"])
    said = r"error: rank 1, on \S+, would make teachers/v1-\w+, and rank 0 teachers/v1-\w+: give"
    assert re.match(said, first.err), first.err
    assert (first.code, first.out, first.err.count("\n")) == (1, "", 1)
    assert second == Ended(1, "", "")


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_other_with_a_sentence(root: Path) -> None:
    trouble = ["--store", root, "--trouble", "1:2:killed"]
    first, second = two_ranks(trouble, trouble)
    assert (
        "error: rc pretrain: another rank is gone, and whatever started it knows why. Run the "
        in (first.err)
    )
    assert first.code == 1
    assert second.code == -9


def agree(*plans: Callable[[Any], Plan]) -> list[str]:
    """What ranks that are threads agree on: an address, or an error as text."""
    texts = Texts()

    def end(rank: int) -> str:
        group: Any = GroupOfThreads(texts, rank, len(plans))
        try:
            return rank_session._agree(group, TOY, plans[rank]).address
        except RCError as error:
            return str(error)

    with ThreadPoolExecutor(len(plans)) as ranks:
        return list(ranks.map(end, range(len(plans))))


def planned(root: Path, **changes: Any) -> Callable[[Any], Plan]:
    return lambda _: plan(Pretrain(**{"steps": 4, **changes}), {}, root)


def refused(_: Any) -> Plan:
    raise ArtifactError("the store is not there")


def test_ranks_with_one_plan_agree(root: Path) -> None:
    first, *others = agree(planned(root), planned(root), planned(root, device="cpu"))
    assert first.startswith("teachers/v1-")
    assert others == [first, first]
    assert not root.exists()  # to plan is to write nothing


def test_the_rank_without_a_plan_is_named_by_all(root: Path) -> None:
    first, *others = agree(planned(root), planned(root), refused)
    assert first == f"rank 2, on {socket.gethostname()}, said: the store is not there."
    assert others == [first, first]


def test_the_first_rank_says_what_it_lacks_as_if_it_were_alone(root: Path) -> None:
    first, second = agree(refused, planned(root))
    assert first == "the store is not there"
    assert second == f"rank 0, on {socket.gethostname()}, said: the store is not there."


def test_another_program_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(["version 1", "version 2"])
    monkeypatch.setattr(rank_session, "program", lambda: next(versions))
    first, second = agree(planned(root), planned(root))
    assert first == second
    assert re.match(r"rank 1, on \S+, has version \d of this program, and rank 0 version", first)


def test_a_rank_that_does_not_answer_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_session, "_ANSWER_S", 0.05)
    group: Any = GroupOfThreads(Texts(), 0)
    with pytest.raises(
        StageError, match=r"^rank 1 did not say what it would make within 0 seconds"
    ):
        rank_session._agree(group, TOY, planned(root))


@pytest.fixture
def rank_1_of_2(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "MASTER_ADDR": "x", "MASTER_PORT": 1}
    for name, value in place.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.usefixtures("rank_1_of_2")
def test_ranks_are_of_training_alone_and_not_of_recipes() -> None:
    assert rank_session.follows(TOY)
    assert not rank_session.follows(EmbedConcepts())
    with pytest.raises(
        OptionError, match=r"^a recipe cannot be run by 2 ranks at once: run it once"
    ):
        rank_session.refuse_recipe()


@pytest.mark.usefixtures("rank_1_of_2")
def test_other_ranks_than_there_are_are_refused() -> None:
    def never(_: Any) -> Any:
        raise AssertionError

    with pytest.raises(OptionError, match="--ranks 3 was given to one of 2 ranks, which something"):
        rank_session.together(Pretrain(steps=1, ranks=3), never, never)


def test_a_process_alone_makes_what_it_makes() -> None:
    made: Any = object()
    assert rank_session.together(TOY, lambda _: made, lambda stage: made) is made
    rank_session.refuse_recipe()
