"""What crashes and full disks have in common: commands run in peace first, then under attack."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from benchmarks.reliability import commands
from benchmarks.reliability.commands import COMMANDS, Command, content
from benchmarks.reliability.section import Count
from pipeline.remote.remote import file_name
from pipeline.store import own_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.reliability.syscalls import Call

_PROCESSES: Final = 2


@dataclass
class Attack:
    """A command under attack.

    Attributes:
        command: The command.
        trial: The folder in which it runs.
        before: A copy of the trial before the command.
        after: What an undisturbed run made of it; see `content`.
        calls: Those of an undisturbed run that count.
    """

    command: Command
    trial: Path
    before: Path
    after: dict[str, bytes]
    calls: list[Call]

    @property
    def words(self) -> list[str]:
        """What is typed after `rc`."""
        return shlex.split(self.command.words)


def attack_all(
    folder: Path, attack: Callable[[Attack, Count, bool], None], *, short: bool
) -> dict[str, Count]:
    """Attack every command, several at a time; a kind of cases for each.

    Args:
        folder: An empty folder.
        attack: Tries the cases of a command; told whether only a few are wanted.
        short: Whether only a few cases, of a few commands, are wanted.
    """
    names = [c.name for c in COMMANDS if c.attacked and (c.short or not short)]
    processes = 1 if short else _PROCESSES
    shares = [names[start::processes] for start in range(processes)]
    with ProcessPoolExecutor(processes, get_context("spawn"), _one_thread) as pool:
        parts = [
            pool.submit(attack_some, folder / str(number), share, attack, short=short)
            for number, share in enumerate(shares)
        ]
        counts = {name: count for part in parts for name, count in part.result().items()}
    return {name: counts[name] for name in names}


def _one_thread() -> None:
    """A process that forks must have no threads; libraries read this when they are loaded."""
    os.environ["OMP_NUM_THREADS"] = "1"


def attack_some(
    folder: Path,
    names: Sequence[str],
    attack: Callable[[Attack, Count, bool], None],
    *,
    short: bool,
) -> dict[str, Count]:
    """Attack the commands of these names, in a process that has no threads."""
    (folder / "world").mkdir(parents=True)
    commands.make_world(folder / "world")
    counts = {}
    for attacked in _in_peace(folder, names, short=short):
        counts[attacked.command.name] = Count()
        attack(attacked, counts[attacked.command.name], short)
    return counts


def _in_peace(folder: Path, names: Sequence[str], *, short: bool) -> Iterator[Attack]:
    """Run all commands that are needed; those of these names, with what they did."""
    trial, before, kept = (folder / name for name in ("trial", "before", "kept"))
    trial.mkdir()
    last = max(i for i, command in enumerate(COMMANDS) if command.name in names)
    for command in COMMANDS[: last + 1]:
        if command.name not in names and not (command.basis if short else command.kept):
            continue
        for path in list(trial.glob(command.without)) if command.without else []:
            path.unlink()
        commands.put(trial, before)
        attack = Attack(command, trial, before, {}, [])
        _run_in_peace(attack)
        if command.name in names:
            commands.put(trial, kept)
            yield attack
            commands.put(kept, trial)
        if not command.kept:
            commands.put(before, trial)


def _run_in_peace(attack: Attack) -> None:
    def note(call: Call) -> int:
        if counts(call, attack.trial):
            attack.calls.append(call)
        return 0

    ended, modules = commands.run(attack.words, attack.trial, note)
    if ended.code:
        raise RuntimeError(f"rc {attack.command.words} fails in peace: {ended.output}")
    commands.load(modules)
    attack.after = content(attack.trial)


def counts(call: Call, trial: Path) -> bool:
    """Whether a call is attacked: those on temporary files are not."""
    return not call.path.is_relative_to(trial / "tmp")


def spread(values: Sequence[int], wanted: int) -> list[int]:
    """So many of the values, evenly."""
    if len(values) <= wanted:
        return list(values)
    return [values[(2 * k + 1) * len(values) // (2 * wanted)] for k in range(wanted)]


def check_visible(attack: Attack) -> bool:
    """Whether all that the command writes outside the store is there.

    Raises:
        AssertionError: If something is visible in the trial and not whole.
    """
    for place in ("store", "copy"):
        for problem in _half_artifacts(attack.trial / place, _in_store):
            raise AssertionError(f"half an artifact is visible: {problem}")
    for problem in _half_artifacts(attack.trial / "remote/artifacts", _in_remote):
        raise AssertionError(f"half an artifact was pushed: {problem}")
    output = attack.command.output
    whole = _part_of(attack.after, output)
    visible = _part_of(content(attack.trial), output)
    earlier = _part_of(content(attack.before), output)
    assert not output or visible in ({}, whole, earlier), f"{output} is half there"
    return bool(output) and visible == whole


def check_again(attack: Attack) -> None:
    """The same command ends, in peace, as if nothing had happened.

    Raises:
        AssertionError: If not.
    """
    done = check_visible(attack)
    ended, _ = commands.run(attack.words, attack.trial)
    refused = done and ended.code == 1 and "exists; " in ended.output
    assert ended.code == 0 or refused, f"the same command then ends with {ended}"
    check_same(attack, content(attack.trial), "the same command then ends otherwise")


def check_same(attack: Attack, now: dict[str, bytes], otherwise: str) -> None:
    """Files are what they are in peace.

    Raises:
        AssertionError: With `otherwise` and the names of those that are not.
    """
    names = sorted(n for n in {*now, *attack.after} if now.get(n) != attack.after.get(n))
    few = ", ".join(f"{name} ({_change(name, now, attack.after)})" for name in names[:3])
    assert not names, f"{otherwise}: {few}"


def _change(name: str, now: dict[str, bytes], after: dict[str, bytes]) -> str:
    return "is missing" if name not in now else "differs" if name in after else "is left"


def _half_artifacts(store: Path, place: Callable[[Path, str, str], Path]) -> Iterator[str]:
    """Artifacts that are visible although a file of theirs is missing or differs.

    Args:
        store: Has their manifests.
        place: Of a file, by the folder of its manifest, its name there, and its hash.
    """
    for path in store.glob("*/v*-*/manifest.json"):
        text = path.read_text("utf-8", errors="replace")
        try:
            manifest = json.loads(text)
            own_hash.check(text, manifest[own_hash.FIELD])
        except ValueError:
            yield f"{path.relative_to(store)} is damaged"
            continue
        for folder, summary in (("", manifest["parts"]), ("drafts", manifest["drafts"])):
            if summary:
                files = _files_of_list(path.parent, folder, summary["list_sha256"], place)
                for listed, digest in files:
                    if not listed.is_file() or _sha256(listed.read_bytes()) != digest:
                        yield f"{listed.relative_to(store.parent)}"


def _files_of_list(
    top: Path, folder: str, digest: str, place: Callable[[Path, str, str], Path]
) -> Iterator[tuple[Path, str]]:
    """A list of parts, and the files that it lists if it is whole, each with its hash."""
    path = place(top, f"{folder}/parts.jsonl", digest)
    yield path, digest
    if not path.is_file() or _sha256(path.read_bytes()) != digest:
        return
    for record in map(json.loads, path.read_text("utf-8").splitlines()):
        rows = {"name": f"part-{record['number']:05d}.parquet", "sha256": record["sha256"]}
        for file in (rows, *record.get("files", ())):
            name = f"{folder}/{file['name']}"
            yield place(top, name, file["sha256"]), file["sha256"]


def _in_store(folder: Path, name: str, _digest: str) -> Path:
    return folder / name.lstrip("/")


def _in_remote(folder: Path, _name: str, digest: str) -> Path:
    return folder.parents[2] / file_name(digest)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _part_of(files: dict[str, bytes], output: str) -> dict[str, bytes]:
    """The files of an output, of all that there are."""
    return {n: c for n, c in files.items() if n == output or n.startswith(f"{output}/")}
