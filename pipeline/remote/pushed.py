"""What is in a remote: manifests by address, artifacts by the names that people use."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pipeline.remote import additions
from pipeline.remote.remote import manifest_name, read_whole
from pipeline.store import manifest as manifests
from pipeline.store.artifact import Artifact
from pipeline.store.catalog import selected, split_name
from pipeline.store.manifest import ADDRESS
from pipeline.store.part_records import why
from schemas.errors import ArtifactError, ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.remote.remote import Remote

MOST_BYTES: Final = 256 << 20  # of a manifest, or a list of parts: half a million
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Pushed:
    """An artifact as a remote has it.

    Attributes:
        content: Of its manifest, byte for byte.
        artifact: It, as if it lay in the store that it may be pulled to.
    """

    content: bytes
    artifact: Artifact


def fetch(remote: Remote, address: str, root: Path) -> Pushed | None:
    """The artifact of an address; None if it is not there.

    Raises:
        ArtifactError: If its manifest is damaged, or that of another artifact.
        SourceError: If the remote does not answer, or refuses.
    """
    content = read_whole(remote, manifest_name(address), MOST_BYTES)
    return None if content is None else parse(remote, address, root, content)


def parse(remote: Remote, address: str, root: Path, content: bytes) -> Pushed:
    """The artifact whose manifest a remote has.

    Raises:
        ArtifactError: If the manifest is damaged, or that of another artifact.
    """
    try:
        manifest = manifests.parse(content, Path(address))
    except ValueError as error:
        raise ArtifactError(
            f"the manifest of {address} in {remote.url} cannot be read: {why(error)}. "
            "It was damaged, or written by another version; push the artifact to another remote."
        ) from None
    return Pushed(content, Artifact((root / address).absolute(), manifest))


def find(remote: Remote, name: str, root: Path) -> Pushed:
    """The artifact that an address, `table@prefix`, or a table names; of several, the last pushed.

    As in a store, a table alone never names a selection, or what has no rows.

    Raises:
        ArtifactNotFoundError: If none matches.
        ArtifactError: If a prefix names several, or a manifest is damaged.
        SourceError: If the remote does not answer, or refuses.
    """
    if re.fullmatch(ADDRESS, name):
        found = fetch(remote, name, root)
        if found is None:
            raise ArtifactNotFoundError(f"{remote.url} has no {name}; {_see(remote)}")
        return found
    table, version, prefix = split_name(name)
    known = [one for one in additions.read(remote) if one.split("/")[0] == table]
    wanted = [one for one in known if _begins(one, version, prefix)]
    there = [one for one in _fetch_all(remote, wanted or known, root) if one]
    if not wanted:
        there = [one for one in there if prefix and selected(one.artifact) == prefix]
    elif prefix and len(there) > 1:
        several = ", ".join(one.artifact.address for one in there)
        raise ArtifactError(f"'{name}' could be any of {several}; write more of its name")
    elif not prefix:
        there = [one for one in there if not one.artifact.is_empty]
        there = [one for one in there if not selected(one.artifact)] or there
    if not there:
        raise ArtifactNotFoundError(f"nothing in {remote.url} matches '{name}'; {_see(remote)}")
    return there[-1]


def everything(remote: Remote, root: Path) -> dict[str, Pushed | ArtifactError | None]:
    """All that was added, in the order it was pushed; None for what is not there, or why not.

    Raises:
        SourceError: If the remote does not answer, or refuses.
    """

    def one(address: str) -> Pushed | ArtifactError | None:
        try:
            return fetch(remote, address, root)
        except ArtifactError as error:
            return error

    addresses = additions.read(remote)
    return dict(zip(addresses, _in_threads(remote, one, addresses), strict=True))


def inputs_first(
    wanted: Sequence[_Found], key: Callable[[_Found], str], inputs: Callable[[_Found], list[_Found]]
) -> list[_Found]:
    """The wanted and, before each, all that it was made from; each once, and also in a circle."""
    ordered: list[_Found] = []
    seen: set[str] = set()
    waiting = [(one, False) for one in reversed(wanted)]
    while waiting:
        one, inputs_done = waiting.pop()
        if inputs_done:
            ordered.append(one)
        elif key(one) not in seen:
            seen.add(key(one))
            waiting.append((one, True))
            waiting.extend((other, False) for other in inputs(one))
    return ordered


def _fetch_all(remote: Remote, addresses: Sequence[str], root: Path) -> list[Pushed | None]:
    return _in_threads(remote, lambda address: fetch(remote, address, root), addresses)


def _in_threads(
    remote: Remote, call: Callable[[str], _Found], addresses: Sequence[str]
) -> list[_Found]:
    with ThreadPoolExecutor(remote.concurrency) as pool:
        return list(pool.map(call, addresses))


def _begins(address: str, version: str, prefix: str) -> bool:
    folder = address.split("/")[1]
    return folder.startswith(version) and folder.split("-")[1].startswith(prefix)


def _see(remote: Remote) -> str:
    return f"'rc status --remote {remote.url}' shows what is there"
