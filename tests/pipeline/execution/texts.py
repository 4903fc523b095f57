"""Texts that ranks leave for each other, in memory, for ranks that are threads of a test."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from stages.training.rank_environment import RankPlace


@dataclass
class Texts:
    """What all ranks have told."""

    said: dict[str, str] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)


class GroupOfThreads:
    """Stands for `stages.training.rank_group.RankGroup`."""

    def __init__(self, texts: Texts, rank: int, ranks: int = 2) -> None:
        self.place = RankPlace(rank, ranks, 0, "127.0.0.1", 1)
        self._texts = texts

    def tell(self, name: str, text: str) -> None:
        with self._texts.changed:
            self._texts.said[name] = text
            self._texts.changed.notify_all()

    def leave(self) -> None:
        self.tell(f"left/{self.place.rank}", "")

    def told(self, name: str, seconds: float | None = None) -> str | None:
        with self._texts.changed:
            self._texts.changed.wait_for(lambda: name in self._texts.said, seconds)
            return self._texts.said.get(name)
