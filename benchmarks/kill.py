"""Kill every stage of a recipe at random moments; its artifacts must not differ by a byte.

    python benchmarks/kill.py RECIPE [--set name=value ...] [--times 10] [--only label]

Each step runs twice: in peace, in one store; and in another, where `kill -9` strikes its whole
process group `--times` times at random moments while it works, before the same command may run to
its end. Then every file of the two artifacts and both manifests, but for the circumstances of
their runs, are compared byte for byte. A run that ends before the blow falls is compared at
once, deleted, and begun anew. Leaves with code 1 if anything differs or is left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.cli.recipes import recipe_path
from pipeline.recipes import recipe
from pipeline.store import catalog
from pipeline.verbs import VERBS

_POLL_S = 0.01  # seconds between two looks at whether a run is at work


@dataclass
class Duel:
    """One step against its killer."""

    label: str
    words: list[str]
    address: str = ""
    seconds: float = 0.0  # of work in peace, from the moment the run holds its lock
    kills: int = 0
    kept: int = 0  # kills after which at least one finished part was there
    ends: int = 0  # runs that ended before the blow
    differences: list[str] = field(default_factory=list)


def main(words: list[str] | None = None) -> int:
    """Run all duels; 1 if an artifact differs."""
    asked = _arguments(words)
    given = dict(pair.split("=", 1) for pair in asked.set)
    steps = recipe.load(recipe_path(asked.recipe), given).steps
    rng = random.Random(asked.seed)
    base = Path(asked.stores or tempfile.mkdtemp(prefix="rc-kill-")).absolute()
    rc = [*shlex.split(asked.rc), "--workers", str(asked.workers)]
    addresses: dict[str, str] = {}
    bad = 0
    print(f"{'step':<24} {'peace s':>8} {'kills':>6} {'kept':>5} {'ends':>5}  result")
    for step in steps:
        duel = Duel(step.label, command_line(step, addresses))
        calm, attacked = base / "peace", base / "attacked"
        duel.address = addresses[step.label] = run_in_peace(duel, rc, calm)
        times = asked.times if asked.only in (None, step.label) else 0
        attack(duel, rc, base, times, rng)
        run_in_peace(duel, rc, attacked)
        duel.differences += differences(calm / duel.address, attacked / duel.address)
        bad += bool(duel.differences)
        print(_line(duel), flush=True)
    if not asked.stores:
        shutil.rmtree(base)
    return int(bad > 0)


def command_line(step: recipe.Step, addresses: dict[str, str]) -> list[str]:
    """The words after `rc` that do what a step of a recipe says."""
    stage = VERBS[step.verb].load()
    flags: list[str] = []
    places: list[str] = []
    for option in stage.__dataclass_fields__.values():
        if option.name not in step.options or step.options[option.name] is None:
            continue
        flag = option.metadata["flag"] or "--" + option.name.replace("_", "-")
        value = step.options[option.name]
        if not flag.startswith("--"):
            places += [str(one) for one in value]
        elif isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            flags += [f"{flag}={one}" for one in values]
    for role, name in step.inputs.items():
        address = addresses[name[1:]] if name.startswith("@") else name
        flags.append(f"--{role.replace('_', '-')}={address}")
    return [step.verb, *flags, "--", *places] if places else [step.verb, *flags]


def run_in_peace(duel: Duel, rc: list[str], store: Path) -> str:
    """Run a step to its end; its address."""
    run = _start(duel, rc, store)
    began = _at_work(run, store)
    out, errors = run.communicate()
    if run.returncode:
        raise SystemExit(f"{duel.label} fails without being killed:\n{errors}")
    if not duel.address:
        duel.seconds = max(time.monotonic() - began, 0.05)
    return out.split()[0]


def attack(duel: Duel, rc: list[str], base: Path, times: int, rng: random.Random) -> None:
    """Start a step and kill it, again and again."""
    folder = base / "attacked" / duel.address
    while duel.kills < times:
        run = _start(duel, rc, base / "attacked")
        _at_work(run, base / "attacked")
        try:
            run.wait(rng.uniform(0, duel.seconds))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        if run.returncode == 0:
            duel.ends += 1
            duel.differences += differences(base / "peace" / duel.address, folder)
            shutil.rmtree(folder)
        elif run.returncode == -signal.SIGKILL:
            duel.kills += 1
            duel.kept += any(folder.glob("**/.receipts/part-*.json"))
        else:
            duel.differences.append(f"exit code {run.returncode} of a resumed run")
            return


def differences(calm: Path, attacked: Path) -> list[str]:
    """Names of files that differ, that only one has, or that should have been swept."""
    here, there = ({str(p.relative_to(f)): p for p in _files(f)} for f in (calm, attacked))
    found = sorted(set(here) ^ set(there))
    found += [n for n in sorted(set(here) & set(there)) if _content(here[n]) != _content(there[n])]
    hidden = [str(p.relative_to(attacked)) for p in attacked.rglob(".*")]
    return [f"{attacked.name}/{name}" for name in [*found, *hidden]]


def _files(folder: Path) -> list[Path]:
    """All files of an artifact but caches."""
    return [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".faiss"]


def _content(path: Path) -> Any:
    if path.name != "manifest.json":
        return path.read_bytes()
    manifest = json.loads(path.read_bytes())
    del manifest["run"]
    return json.dumps(manifest)  # the order of keys counts too


def _start(duel: Duel, rc: list[str], store: Path) -> subprocess.Popen[str]:
    verb, *rest = duel.words
    program, running = rc[:-2], rc[-2:]
    return subprocess.Popen(
        [*program, verb, "--store", str(store), *running, *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _at_work(run: subprocess.Popen[str], store: Path) -> float:
    """When the run took its lock, or ended without."""
    while run.poll() is None and not catalog.under_way(store):
        time.sleep(_POLL_S)
    return time.monotonic()


def _line(duel: Duel) -> str:
    told = "; ".join(duel.differences[:3]) or "identical"
    return (
        f"{duel.label:<24} {duel.seconds:>8.1f} {duel.kills:>6} {duel.kept:>5} {duel.ends:>5}  "
        f"{'DIFFERS: ' if duel.differences else ''}{told}"
    )


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill stages; compare artifacts.")
    parser.add_argument("recipe", help="a TOML file, or the name of one that is shipped")
    parser.add_argument("--set", action="append", default=[], help="name=value for the recipe")
    parser.add_argument("--times", type=int, default=10, help="kills per step")
    parser.add_argument("--only", help="attack this step alone; run the others in peace")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None, help="of the moments")
    parser.add_argument("--stores", help="folder for the two stores, kept; default: a deleted one")
    beside = str(Path(sys.executable).with_name("rc"))  # of the same environment
    parser.add_argument("--rc", default=beside, help="the command to run")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
