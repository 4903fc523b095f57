"""Watch what a forked process does to the files of a folder, call by call, before it happens.

The kernel stops every system call that may change a file (seccomp, Linux) and asks the watcher, who
lets it pass, makes it fail, or kills the process. So C libraries are watched as Python is: HDF5,
Parquet, DuckDB, FAISS, torch. Calls on files elsewhere pass without being counted.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PASS: Final = 0  # the answers, or an errno
KILL: Final = -1
SKIP: Final = -2  # tell the process that the call succeeded, without doing it
HANG_S: Final = 240.0  # a process that takes longer is killed

# number on x86_64 and on aarch64 (-1: not there), which argument is a descriptor, which a path
_CALLS: Final[dict[str, tuple[int, int, int | None, int | None]]] = {
    "open": (257, 56, 0, 1),  # openat; only what makes or empties a file, see `_filter`
    "write": (1, 64, 0, None),
    "pwrite": (18, 68, 0, None),
    "writev": (20, 66, 0, None),
    "pwritev": (296, 70, 0, None),
    "sendfile": (40, 71, 0, None),
    "copy_file_range": (326, 285, 2, None),
    "ftruncate": (77, 46, 0, None),
    "fallocate": (285, 47, 0, None),
    "fsync": (74, 82, 0, None),
    "fdatasync": (75, 83, 0, None),
    "mkdirat": (258, 34, 0, 1),
    "unlinkat": (263, 35, 0, 1),
    "renameat": (264, 38, 2, 3),
    "renameat2": (316, 276, 2, 3),
    "linkat": (265, 37, 2, 3),
    "symlinkat": (266, 36, 1, 2),
    "old open": (2, -1, None, 0),
    "mkdir": (83, -1, None, 0),
    "rmdir": (84, -1, None, 0),
    "unlink": (87, -1, None, 0),
    "rename": (82, -1, None, 1),
    "link": (86, -1, None, 1),
    "symlink": (88, -1, None, 1),
}
GROWING: Final = frozenset(  # calls that need room on the disk
    (
        *("open", "old open", "write", "pwrite", "writev", "pwritev", "sendfile"),
        *("copy_file_range", "ftruncate", "fallocate", "mkdirat", "mkdir", "linkat", "link"),
        *("symlinkat", "symlink"),
    )
)
FLUSHING: Final = ("fsync", "fdatasync")
_NEW_LISTENER, _SET_FILTER, _NO_NEW_PRIVS = 1 << 3, 1, 38
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
_REQUEST, _ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
_NOTIFY, _ALLOW = 0x7FC00000, 0x7FFF0000
_AT_CWD = -100


@dataclass(frozen=True)
class Call:
    """A system call that is about to happen.

    Attributes:
        name: Such as write.
        path: The file or folder, or the new name of it.
        handle: Where the watcher can open what the descriptor stands for, for `FLUSHING`.
    """

    name: str
    path: Path
    handle: Path


@dataclass(frozen=True)
class Ended:
    """How a watched process ended.

    Attributes:
        code: As of `os.waitstatus_to_exitcode`: below 0 for a signal.
        output: What it printed, errors too.
    """

    code: int
    output: str


def run(
    work: Callable[[], None],
    folder: Path,
    answer: Callable[[Call], int],
) -> Ended:
    """Run `work` in a forked process; `answer` decides about its calls within `folder`.

    Args:
        work: Runs in the child; SystemExit gives the exit code.
        folder: Also holds the temporary files of the child, in `tmp`.
        answer: `PASS`, `SKIP`, `KILL`, or an errno to refuse the call.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        ours, theirs = socket.socketpair()
        child = os.fork()
        if not child:
            _be_the_child(work, folder, output.fileno(), theirs)
        theirs.close()
        with ours:
            _, descriptors, *_ = socket.recv_fds(ours, 1, 1)
        _watch(child, descriptors[0], folder, answer)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), output.read())


def _be_the_child(
    work: Callable[[], None], folder: Path, output: int, answers: socket.socket
) -> None:
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = (open(n, "w", closefd=False) for n in (1, 2))  # noqa: SIM115
        os.environ["TMPDIR"] = str(folder / "tmp")
        tempfile.tempdir = None
        socket.send_fds(answers, [b" "], [_install_filter()])
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(child: int, listener: int, folder: Path, answer: Callable[[Call], int]) -> None:
    poll, deadline = select.poll(), time.monotonic() + HANG_S
    poll.register(listener, select.POLLIN)
    try:
        while True:
            events = poll.poll(1000)
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                return
            if not events:
                continue
            if not events[0][1] & select.POLLIN:
                return  # all that were watched are gone
            with suppress(FileNotFoundError):  # the process was killed meanwhile
                if not _decide(child, listener, folder, answer):
                    return
    finally:
        os.close(listener)


def _decide(child: int, listener: int, folder: Path, answer: Callable[[Call], int]) -> bool:
    """Answer one call; False if that killed the process."""
    request = bytearray(_REQUEST.size)
    fcntl.ioctl(listener, _RECEIVE, request)
    number, task, _, call_number, *_, a0, a1, a2, a3, a4, a5 = _REQUEST.unpack(request)
    call = _called(task, call_number, (a0, a1, a2, a3, a4, a5))
    decision = answer(call) if call and call.path.is_relative_to(folder) else PASS
    if decision == KILL:
        os.killpg(child, signal.SIGKILL)
        return False
    error = -decision if decision > 0 else 0
    fcntl.ioctl(listener, _SEND, _ANSWER.pack(number, 0, error, int(decision == PASS)))
    return True


def _called(task: int, number: int, arguments: tuple[int, ...]) -> Call | None:
    name, at_descriptor, at_path = _BY_NUMBER[number]
    here = Path(f"/proc/{task}")
    descriptor = _AT_CWD
    if at_descriptor is not None:
        descriptor = ctypes.c_int32(arguments[at_descriptor] & 0xFFFFFFFF).value
    handle = here / "cwd" if descriptor == _AT_CWD else here / "fd" / str(descriptor)
    try:
        path = handle.readlink()
        if at_path is not None:
            path = path / _text(here, arguments[at_path])
    except OSError:  # a closed descriptor, or a pointer to nothing: the call will fail
        return None
    return Call(name, path, handle)


def _text(process: Path, address: int) -> str:
    """The zero-terminated path at an address of a process."""
    content = b""
    with (process / "mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        while b"\0" not in content:
            content += memory.read(256 - (address + len(content)) % 256)  # never over a page's end
    return os.fsdecode(content.partition(b"\0")[0])


def _install_filter() -> int:
    """Have the kernel ask about `_CALLS` from now on; the descriptor that answers."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = _filter()
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    )
    listener = libc.syscall(_SECCOMP, _SET_FILTER, _NEW_LISTENER, header)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "this machine does not let calls be watched")
    return int(listener)


def _filter() -> bytes:
    """Berkeley packet filter: ask about `_CALLS`, of openat only with O_CREAT or O_TRUNC."""
    others = [number for number in _BY_NUMBER if number not in _OPENS]
    lines = [(0x20, 0, 0, 0)]  # load the number of the call
    for number, offset in _OPENS.items():
        lines += [(0x15, 0, 4, number), (0x20, 0, 0, offset)]
        lines += [(0x45, 0, 1, os.O_CREAT | os.O_TRUNC), (0x06, 0, 0, _NOTIFY)]
        lines += [(0x06, 0, 0, _ALLOW)]
    for left, number in zip(range(len(others), 0, -1), others, strict=True):
        lines.append((0x15, left, 0, number))  # jump to the last line
    lines += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _NOTIFY)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


_ARM = platform.machine() == "aarch64"
_SECCOMP = 277 if _ARM else 317
_BY_NUMBER: Final = {
    number: (name, descriptor, path)
    for name, (intel, arm, descriptor, path) in _CALLS.items()
    if (number := arm if _ARM else intel) >= 0
}
_OPENS: Final = {  # number and where its flags are
    number: 16 + 8 * {"open": 2, "old open": 1}[name]
    for number, (name, _, _) in _BY_NUMBER.items()
    if name in ("open", "old open")
}
