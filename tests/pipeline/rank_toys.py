"""A training without a network, on ranks; `python -m tests.pipeline.rank_toys` is `rc` with it.

Each step is one message among the ranks. What is to go wrong is said as `RANK:STEP:WHAT`.
"""

from __future__ import annotations

import os
import signal
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.cli import main
from pipeline.verbs import VERBS, Verb
from schemas.errors import ArtifactError
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, option
from stages.training.options import TrainingStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Pretrain(TrainingStage):
    """Count steps on all ranks."""

    trouble: str = option("", "RANK:STEP:killed, raises, ends or waits", recipe=False)
    watched: Path | None = option(None, "folder for the process id of each rank", recipe=False)
    decide: bool = option(False, "whether the number of ranks decides", recipe=False)
    tokenizer: Path | None = option(None, "a file that must be there", recipe=False)

    name: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = TEACHERS

    def ranks_decide(self) -> bool:
        """See `TrainingStage.ranks_decide`."""
        return self.decide

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`."""
        if self.tokenizer and not self.tokenizer.exists():
            raise ArtifactError(f"{self.tokenizer} is not there")
        return {}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """One step adds up one number of each rank; a checkpoint after each says where to go on."""
        import torch
        from torch import distributed

        together = distributed.is_initialized()
        rank = distributed.get_rank() if together else 0
        if self.watched:
            (self.watched / f"rank-{rank}").write_text(str(os.getpid()))
        checkpoint = part.scratch / "checkpoint.txt"
        done, begun = int(checkpoint.read_text()) if checkpoint.exists() else 0, 0
        if together:
            warnings.warn("said by every rank", stacklevel=1)
            distributed.barrier()  # all have looked, before one writes
        for step in range(done, self.steps or 0):
            self._meet_trouble(rank, step)
            number = torch.ones(1)
            if together:
                distributed.all_reduce(number)
            begun += 1
            part.advance()
            if rank == 0:
                checkpoint.write_text(str(step + 1))
        part.note("loss", {"first": 2.0, "last": 1.0, "steps": self.steps, "images": begun})
        part.attach("weights.txt").write_text(f"steps {self.steps}")
        yield TEACHERS.batch({c.name: [0] for c in TEACHERS.columns} | {"step": [self.steps]})

    def _meet_trouble(self, rank: int, step: int) -> None:
        its_rank, its_step, what = (self.trouble or "-1:-1:").split(":")
        if (rank, step) != (int(its_rank), int(its_step)):
            return
        if what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "ends":
            os._exit(7)
        if what == "raises":
            raise ArtifactError("the disk of this rank is gone")
        if self.watched:
            (self.watched / "waits").write_text("")
        threading.Event().wait()


def use_toy() -> None:
    """Put the toy in the place of all stages."""

    class ToyVerb(Verb):
        def load(self) -> type[Pretrain]:
            return Pretrain

    VERBS.clear()
    VERBS["pretrain"] = ToyVerb("pretrain", "Count steps on all ranks.", "teachers")


if __name__ == "__main__":
    # by its name as a module: what travels to other processes is found there
    from tests.pipeline import rank_toys

    rank_toys.use_toy()
    main()
