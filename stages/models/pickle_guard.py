"""Refuse pickles that would exhaust memory or the stack, before anything is made of them.

An unpickler that makes tensors alone still makes tuples: one nested a million deep ends the process
when it is hashed, one that holds itself twice at sixty levels never finishes, and a number in the
file makes room for as many objects. Only the instructions are read here.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import IO, Any, Final

MAX_MEMBERS: Final = 10_000  # of a tuple, those of its members counted too
MAX_INSTRUCTIONS: Final = 1_000_000  # a state of 30,000 tensors has as many
_TUPLES: Final = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET")
_PUT: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_GET: Final = ("GET", "BINGET", "LONG_BINGET")
_REGISTRY: Final = ("EXT1", "EXT2", "EXT4")  # objects that other code of the process registered


def require_bounded(stream: IO[bytes]) -> None:
    """Pass if a pickle can be read in time and memory that its own length bounds.

    Args:
        stream: At the first instruction; afterwards it is behind the last one.

    Raises:
        ValueError: If it is too large or too deep, or no complete pickle.
    """
    machine = _Machine()
    for count, (instruction, argument, _) in enumerate(pickletools.genops(stream)):
        if count > MAX_INSTRUCTIONS:
            raise ValueError(f"more than {MAX_INSTRUCTIONS:,} instructions")
        if instruction.name in _PUT and int(argument or 0) > count:
            raise ValueError(f"place {argument} in a memory of {count:,} objects")
        try:
            machine.follow(instruction.name, argument)
        except (IndexError, KeyError) as error:
            raise ValueError(f"instruction {count} takes what is not there") from error


class _Machine:
    """The stack of an unpickler, holding the number of members in place of each object."""

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._marks: list[int] = []
        self._memory: dict[int, int] = {}

    def follow(self, name: str, argument: Any) -> None:
        if (effect := _EFFECTS.get(name)) is not None:
            self._apply(effect)
        elif name == "MARK":
            self._marks.append(len(self._stack))
        elif name in _PUT:
            self._memory[int(argument)] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memory[len(self._memory)] = self._stack[-1]
        elif name in _GET:
            self._stack.append(self._memory[int(argument)])
        else:
            raise ValueError("an object that other code of this process would have registered")

    def _apply(self, effect: _Effect) -> None:
        stack = self._stack
        end = self._marks.pop() if effect.to_mark else len(stack)
        start = end - effect.taken
        if start < 0:
            raise IndexError(start)
        taken = stack[start:]
        size = 1 + sum(taken) if effect.adds else max(taken, default=1)
        if size > MAX_MEMBERS:
            raise ValueError(f"a tuple of more than {MAX_MEMBERS:,} members")
        stack[start:] = [size] * effect.given


@dataclass(frozen=True, slots=True)
class _Effect:
    """What an instruction does to the stack.

    Attributes:
        taken: Objects that it takes, those above a mark aside.
        to_mark: Whether it also takes all above the last mark.
        given: Objects that it puts there.
        adds: Whether the object given is a tuple of those taken.
    """

    taken: int
    to_mark: bool
    given: int
    adds: bool

    @classmethod
    def of(cls, instruction: pickletools.OpcodeInfo) -> _Effect:
        before = instruction.stack_before
        to_mark = pickletools.markobject in before
        taken = before.index(pickletools.markobject) if to_mark else len(before)
        return cls(taken, to_mark, len(instruction.stack_after), instruction.name in _TUPLES)


_EFFECTS: Final = {
    instruction.name: _Effect.of(instruction)
    for instruction in pickletools.opcodes
    if instruction.name not in ("MARK", "MEMOIZE", *_PUT, *_GET, *_REGISTRY)
}
