"""Published weights and the network: what must be fetched, and whether it can be.

Without a network the libraries retry for a minute and log each attempt; here one attempt to
connect decides, and files that were fetched before are found without any.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import huggingface_hub
from huggingface_hub import constants

from schemas.errors import SourceError
from stages.models.weights_files import SAFE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PATIENCE_S: Final = 4.0  # for one connection
_DEFAULT_FILE: Final = "open_clip_pytorch_model.bin"  # open_clip's, where a repository names none
_URL_CACHE: Final = Path("~/.cache/clip")  # where open_clip keeps what it fetches from a URL


def require_weights(known: Mapping[str, Any], tag: str, architecture: str) -> None:
    """Pass if the weights of a tag are on this machine, or can be fetched.

    Args:
        known: What open_clip says of the tag.
        tag: Of the weights.
        architecture: What to build for them, as open_clip calls it.

    Raises:
        SourceError: If neither; it names the file, and how to give it.
    """
    address, cached = _source(known)
    if cached:
        return
    host = urlsplit(address).hostname or ""
    if constants.HF_HUB_OFFLINE:
        why = "HF_HUB_OFFLINE is set"
    elif not reachable(address):
        why = f"{host} cannot be reached"
    else:
        return
    raise SourceError(
        f"the weights '{tag}' are not on this machine and {why}. Fetch {address} elsewhere, and "
        f"give the file instead of the tag (--model {architecture} --pretrained FILE)"
    )


def reachable(address: str, patience_s: float = _PATIENCE_S) -> bool:
    """Whether somebody answers at the host of a URL, or at the proxy that leads there."""
    target = urlsplit(getproxies().get(urlsplit(address).scheme) or address)
    connected: list[bool] = []

    def connect() -> None:
        port = target.port or (80 if target.scheme == "http" else 443)
        try:
            socket.create_connection((target.hostname or "", port), patience_s).close()
        except OSError:
            return
        connected.append(True)

    attempt = Thread(target=connect, daemon=True)  # the search for a name has no limit of its own
    attempt.start()
    attempt.join(patience_s)
    return bool(connected)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from logging what the error says once more."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _source(known: Mapping[str, Any]) -> tuple[str, bool]:
    """Where the file of a tag is published, and whether it was fetched before."""
    repository, _, name = str(known.get("hf_hub") or "").rpartition("/")
    if repository:
        names = [name] if name else [SAFE_FILE, _DEFAULT_FILE]
        paths = (huggingface_hub.try_to_load_from_cache(repository, one) for one in names)
        address = f"https://huggingface.co/{repository}/resolve/main/{names[0]}"
        return address, any(isinstance(path, str) and Path(path).exists() for path in paths)
    address = str(known.get("url") or "")
    return address, (_URL_CACHE.expanduser() / os.path.basename(address)).is_file()  # noqa: PTH119
