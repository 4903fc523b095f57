"""How many changes of the code that decides bytes and truth a test notices.

    python -m benchmarks.mutants [PATTERN ...]

Mutants are made and run by mutmut, as [tool.mutmut] in pyproject.toml says, each against the test
file of its own module alone. What mutmut leaves out and this adds: context managers, which is what
most of the store's commit is; mutmut makes no mutants of a function with a decorator. Patterns are
of mutants, as mutmut prints them; without any, all in `MUTANTS` run, about a second each.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterable

MUTANTS = (
    "schemas.boxes.*",
    "stages.geometry.*",
    "stages.label.*_kept*",
    "stages.labelling.concept_matching.*",
    "stages.training.losses.*",
    "pipeline.store.atomic.*",
    "pipeline.store.own_hash.*",
    "pipeline.store.parts.x_prepare*",
    "pipeline.store.parts.x_publish*",
    "pipeline.store.parts.x_receipt*",
    "pipeline.store.parts.x_damaged*",
)
_WORK = Path("mutants")  # where mutmut puts its copy of the project, and its results
_VERDICTS = {0: "survived", 1: "killed", 3: "killed", 33: "no test", -24: "hung", -9: "hung"}


def main(patterns: list[str]) -> None:
    """Run mutants, and print how many of each module were killed, and which were not."""
    from mutmut.__main__ import _run
    from mutmut.mutation import file_mutation
    from mutmut.runners.harness import PytestRunner

    skip = file_mutation.MutationVisitor._skip_node_and_children
    arrange: Any = file_mutation.function_trampoline_arrangement
    warm_up, run_tests = PytestRunner.warm_up, PytestRunner.run_tests

    def skip_less(visitor: Any, node: Any) -> bool:
        return not _is_context_manager(node) and bool(skip(visitor, node))

    def arrange_outside(function: Any, *rest: Any, **named: Any) -> Any:
        declared, (choice, *copies), assigned, names = arrange(function, *rest, **named)
        if _is_context_manager(function):  # each copy is one already: choose among these
            choice = choice.with_changes(decorators=choice.decorators[::-1])
        return declared, [choice, *copies], assigned, names

    def warm_up_and_freeze(runner: Any) -> None:
        warm_up(runner)
        gc.freeze()  # pytest collects garbage for each mutant, and would go through all of torch

    def run_own_tests(runner: Any, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        own = [test for test in tests if not mutant_name or _is_own(test, mutant_name)]
        return int(run_tests(runner, mutant_name=mutant_name, tests=own)) if own else 33

    with (
        mock.patch.object(file_mutation.MutationVisitor, "_skip_node_and_children", skip_less),
        mock.patch.object(file_mutation, "function_trampoline_arrangement", arrange_outside),
        mock.patch.object(PytestRunner, "warm_up", warm_up_and_freeze),
        mock.patch.object(PytestRunner, "run_tests", run_own_tests),
    ):
        _run(patterns, 1)
    _print_results(patterns)


def _is_context_manager(node: Any) -> bool:
    decorators = [getattr(d.decorator, "value", None) for d in getattr(node, "decorators", ())]
    return type(node).__name__ == "FunctionDef" and decorators == ["contextmanager"]


def _is_own(test: str, mutant: str) -> bool:
    """Whether a test is in the test file of the module that a mutant is of."""
    *folders, module = re.sub(r"\.x[_ǁ].*", "", mutant).split(".")
    return test.startswith("/".join(["tests", *folders, f"test_{module}.py::"]))


def _print_results(patterns: list[str]) -> None:
    for path in sorted(_WORK.rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        verdicts = {
            name: _VERDICTS.get(code, f"exit code {code}")
            for name, code in codes.items()
            if any(fnmatch(name, pattern) for pattern in patterns)
        }
        if verdicts:
            print(
                path.relative_to(_WORK).with_suffix(""), len(verdicts), Counter(verdicts.values())
            )
        for name, verdict in verdicts.items():
            if verdict != "killed":
                print("   ", verdict, name)


if __name__ == "__main__":
    main(sys.argv[1:] or list(MUTANTS))
