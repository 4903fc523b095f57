"""Kill every stage of a recipe at random moments; its artifacts must not change by a byte.

    python benchmarks/kill.py RECIPE [--set name=value ...] [--times 10] [--only label]

Each step runs in two stores. In one it is never killed. In the other, `kill -9` ends its process
group `--times` times at random moments while it works; then the same command runs to its end. The
files of the two artifacts are compared byte for byte, the manifests without the entry "run". A run
that ends before it is killed is compared at once, deleted, and started again. The exit code is 1 if
anything differs or is left behind.
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

from pipeline.cli.recipes import recipe_path
from pipeline.recipes import recipe
from pipeline.store import catalog, recency
from pipeline.verbs import VERBS

_POLL_S = 0.01  # seconds between two checks whether a run holds its lock


@dataclass
class StepTrial:
    """A step that is killed, and the results."""

    label: str
    words: list[str]
    address: str = ""
    seconds: float = 0.0  # of the run without kills, from the moment it holds its lock
    kills: int = 0
    kept: int = 0  # kills after which at least one finished part existed
    ends: int = 0  # runs that ended before they were killed
    differences: list[str] = field(default_factory=list)


def main(words: list[str] | None = None) -> int:
    """Test every step; 1 if an artifact differs."""
    arguments = _parse_arguments(words)
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    steps = recipe.load(recipe_path(arguments.recipe), settings).steps
    rng = random.Random(arguments.seed)
    base = Path(arguments.stores or tempfile.mkdtemp(prefix="rc-kill-")).absolute()
    rc = [*shlex.split(arguments.rc), "--workers", str(arguments.workers)]
    addresses: dict[str, str] = {}
    bad = 0
    print(f"{'step':<24} {'peace s':>8} {'kills':>6} {'kept':>5} {'ends':>5}  result")
    for step in steps:
        trial = StepTrial(step.label, command_line(step, addresses))
        undisturbed, attacked = base / "peace", base / "attacked"
        trial.address = addresses[step.label] = run_to_end(trial, rc, undisturbed)
        times = arguments.times if arguments.only in (None, step.label) else 0
        attack(trial, rc, base, times, rng)
        run_to_end(trial, rc, attacked)
        trial.differences += differences(undisturbed / trial.address, attacked / trial.address)
        bad += bool(trial.differences)
        print(_line(trial), flush=True)
    if not arguments.stores:
        shutil.rmtree(base)
    return int(bad > 0)


def command_line(step: recipe.Step, addresses: dict[str, str]) -> list[str]:
    """The words after `rc` that run a step of a recipe."""
    stage = VERBS[step.verb].load()
    flags: list[str] = []
    positional: list[str] = []
    for option in stage.__dataclass_fields__.values():
        if option.name not in step.options or step.options[option.name] is None:
            continue
        flag = option.metadata["flag"] or "--" + option.name.replace("_", "-")
        value = step.options[option.name]
        if not flag.startswith("--"):
            positional += [str(v) for v in value]
        elif isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            flags += [f"{flag}={v}" for v in values]
    for role, name in step.inputs.items():
        address = addresses[name[1:]] if name.startswith("@") else name
        flags.append(f"--{role.replace('_', '-')}={address}")
    return [step.verb, *flags, "--", *positional] if positional else [step.verb, *flags]


def run_to_end(trial: StepTrial, rc: list[str], store: Path) -> str:
    """Run a step to its end; return the address of its artifact."""
    run = _start(trial, rc, store)
    started = _wait_for_lock(run, store)
    out, errors = run.communicate()
    if run.returncode:
        raise SystemExit(f"{trial.label} fails without being killed:\n{errors}")
    if not trial.address:
        trial.seconds = max(time.monotonic() - started, 0.05)
    return out.split()[0]


def attack(trial: StepTrial, rc: list[str], base: Path, times: int, rng: random.Random) -> None:
    """Start a step and kill it, again and again."""
    folder = base / "attacked" / trial.address
    while trial.kills < times:
        run = _start(trial, rc, base / "attacked")
        _wait_for_lock(run, base / "attacked")
        try:
            run.wait(rng.uniform(0, trial.seconds))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()  # and close its pipes
        if run.returncode == 0:
            trial.ends += 1
            trial.differences += differences(base / "peace" / trial.address, folder)
            shutil.rmtree(folder)
        elif run.returncode == -signal.SIGKILL:
            trial.kills += 1
            trial.kept += any(folder.glob("**/.receipts/part-*.json"))
        else:
            trial.differences.append(f"exit code {run.returncode} of a resumed run")
            return


def differences(undisturbed: Path, attacked: Path) -> list[str]:
    """Names of files that differ, that only one has, or that should have been removed."""
    here, there = ({str(p.relative_to(f)): p for p in _files(f)} for f in (undisturbed, attacked))
    names = sorted(set(here) ^ set(there))
    names += [
        n for n in sorted(set(here) & set(there)) if content_of(here[n]) != content_of(there[n])
    ]
    hidden = [str(p.relative_to(attacked)) for p in attacked.rglob(".*")]
    return [f"{attacked.name}/{name}" for name in [*names, *hidden]]


def _files(folder: Path) -> list[Path]:
    """All files of an artifact but caches and the time of its last use."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return [p for p in files if p.suffix != ".faiss" and p.name != recency.NAME]


def content_of(path: Path) -> bytes:
    """What is in a file of an artifact; of its manifest, what follows from the recipe."""
    if path.name != "manifest.json":
        return path.read_bytes()
    manifest = json.loads(path.read_bytes())
    del manifest["run"], manifest["own_sha256"]
    return json.dumps(manifest).encode()  # the order of keys counts too


def _start(trial: StepTrial, rc: list[str], store: Path) -> subprocess.Popen[str]:
    verb, *rest = trial.words
    program, running = rc[:-2], rc[-2:]
    return subprocess.Popen(
        [*program, verb, "--store", str(store), *running, *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for_lock(run: subprocess.Popen[str], store: Path) -> float:
    """Wait until the run holds its lock, or has ended; return the time."""
    while run.poll() is None and not catalog.under_way(store):
        time.sleep(_POLL_S)
    return time.monotonic()


def _line(trial: StepTrial) -> str:
    result = "; ".join(trial.differences[:3]) or "identical"
    return (
        f"{trial.label:<24} {trial.seconds:>8.1f} {trial.kills:>6} {trial.kept:>5} "
        f"{trial.ends:>5}  "
        f"{'DIFFERS: ' if trial.differences else ''}{result}"
    )


def _parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill stages; compare artifacts.")
    parser.add_argument("recipe", help="a TOML file, or the name of a bundled recipe")
    parser.add_argument("--set", action="append", default=[], help="name=value for the recipe")
    parser.add_argument("--times", type=int, default=10, help="kills per step")
    parser.add_argument("--only", help="kill only this step")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None, help="of the random moments")
    parser.add_argument(
        "--stores", help="folder for the two stores, kept; default: a temporary one"
    )
    rc = str(Path(sys.executable).with_name("rc"))  # of the same environment
    parser.add_argument("--rc", default=rc, help="the command to run")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
