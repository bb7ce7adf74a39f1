"""A faster loop for py-evm: the commonest opcodes in place, every other one by py-evm itself.

Three quarters of the opcodes of a contract move, add and compare words. py-evm spends a dozen
Python calls on each; here each is a few bytecodes, over a program that is decoded once.
What touches state, calls or logs is py-evm's own. Gas, memory and stack are py-evm's objects,
brought up to date before each opcode that is left to it.

Threat answered: none; the results are those of py-evm, to the unit of gas, and a test holds the two
against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from eth.abc import MessageAPI, StateAPI, TransactionContextAPI
from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm.code_stream import CodeStream
from eth.vm.forks.paris import ParisVM
from eth.vm.forks.paris.computation import ParisComputation
from eth.vm.forks.paris.opcodes import PARIS_OPCODES
from eth.vm.forks.paris.state import ParisState
from eth.vm.logic.invalid import InvalidOpcode

from ostrom.chain.accounts import Accounts

WORD = 1 << 256
_MASK = WORD - 1
_STACK_MAX = 1024

_PUSH, _DUP, _SWAP, _TWO, _ONE, _JUMP, _JUMPI, _JUMPDEST, _MSTORE, _MLOAD, _POP, _OTHER = range(12)

Step: TypeAlias = tuple[int, Any, int, int]
"""What to do, with what, for how much gas, and the position of the next opcode."""

_TWO_OPERANDS: dict[int, Callable[[int, int], int]] = {
    0x01: lambda a, b: (a + b) & _MASK,
    0x02: lambda a, b: (a * b) & _MASK,
    0x03: lambda a, b: (a - b) & _MASK,
    0x04: lambda a, b: a // b if b else 0,
    0x06: lambda a, b: a % b if b else 0,
    0x10: lambda a, b: 1 if a < b else 0,
    0x11: lambda a, b: 1 if a > b else 0,
    0x14: lambda a, b: 1 if a == b else 0,
    0x16: lambda a, b: a & b,
    0x17: lambda a, b: a | b,
    0x18: lambda a, b: a ^ b,
    0x1B: lambda a, b: (b << a) & _MASK if a < 256 else 0,
    0x1C: lambda a, b: b >> a if a < 256 else 0,
}
"""`a` was on top of the stack."""

_ONE_OPERAND: dict[int, Callable[[int], int]] = {
    0x15: lambda a: 0 if a else 1,
    0x19: lambda a: a ^ _MASK,
}

_PLAIN = {
    0x50: _POP,
    0x51: _MLOAD,
    0x52: _MSTORE,
    0x56: _JUMP,
    0x57: _JUMPI,
    0x5B: _JUMPDEST,
}


class Program(dict[int, Step]):
    """The steps of a contract by position, decoded when they are first reached.

    Bytes that a PUSH takes decode to steps as well: nobody can jump there, since only a JUMPDEST
    that is no such byte is marked as one. Behind the last byte is a STOP.
    """

    def __init__(self, code: bytes) -> None:
        super().__init__()
        self._code, self._taken = code, _taken(code)

    def __missing__(self, at: int) -> Step:
        if at < len(self._code):
            self[at] = _step(self._code, at, self._taken)
        else:
            self[at] = (_OTHER, PARIS_OPCODES[0x00], 0, len(self._code))
        return self[at]

    def check(self, target: int) -> int:
        """`target`, if it is a JUMPDEST.

        Raises:
            InvalidJumpDestination: it is none.
        """
        if target >= len(self._code) or self[target][0] != _JUMPDEST:
            raise InvalidJumpDestination("a jump to what is no JUMPDEST")
        return target


program = lru_cache(maxsize=64)(Program)


def _taken(code: bytes) -> set[int]:
    """The positions of bytes that a PUSH takes."""
    taken: set[int] = set()
    at = 0
    while at < len(code):
        width = code[at] - 0x5F if 0x60 <= code[at] <= 0x7F else 0
        taken.update(range(at + 1, at + 1 + width))
        at += 1 + width
    return taken


def _step(code: bytes, at: int, taken: set[int]) -> Step:
    opcode, end = code[at], len(code)
    known: Any = PARIS_OPCODES.get(opcode)
    cost = known.gas_cost if known is not None else 0
    if 0x60 <= opcode <= 0x7F:
        width = opcode - 0x5F
        value = code[at + 1 : at + 1 + width].ljust(width, b"\0")
        return _PUSH, int.from_bytes(value, "big"), cost, min(at + 1 + width, end)
    if 0x80 <= opcode <= 0x8F:
        return _DUP, 0x7F - opcode, cost, at + 1
    if 0x90 <= opcode <= 0x9F:
        return _SWAP, 0x8E - opcode, cost, at + 1
    if opcode in _TWO_OPERANDS:
        return _TWO, _TWO_OPERANDS[opcode], cost, at + 1
    if opcode in _ONE_OPERAND:
        return _ONE, _ONE_OPERAND[opcode], cost, at + 1
    if opcode in _PLAIN and not (opcode == 0x5B and at in taken):
        return _PLAIN[opcode], None, cost, at + 1
    # py-evm charges for what it does itself.
    return _OTHER, known if known is not None else InvalidOpcode(opcode), 0, at + 1


def _run(computation: Any) -> None:
    """Execute a computation's code to its end.

    Raises:
        VMError: as py-evm does; a stack that is too short or too long is found one by one.
    """
    try:
        _loop(computation, program(computation.msg.code))
    except IndexError:
        raise InsufficientStack("the stack is too short") from None


def _loop(computation: Any, steps: Program) -> None:
    values, meter = computation._stack.values, computation._gas_meter
    pop, push = values.pop, values.append
    gas, at = meter.gas_remaining, 0
    while True:
        kind, what, cost, following = steps[at]
        gas -= cost
        if gas < 0:
            raise OutOfGas("the gas is used up")
        at = following
        if kind == _PUSH:
            push(what)
        elif kind == _DUP:
            push(values[what])
        elif kind == _SWAP:
            values[-1], values[what] = values[what], values[-1]
            continue
        elif kind == _TWO:
            first = pop()
            values[-1] = what(first, values[-1])
            continue
        elif kind == _JUMPDEST:
            continue
        elif kind == _JUMPI:
            target = pop()
            if pop():
                at = steps.check(target)
            continue
        elif kind == _ONE:
            values[-1] = what(values[-1])
            continue
        elif kind == _POP:
            pop()
            continue
        elif kind == _JUMP:
            at = steps.check(pop())
            continue
        else:
            meter.gas_remaining = gas
            if kind == _MSTORE:
                start = pop()
                _store(computation, start, pop())
            elif kind == _MLOAD:
                values[-1] = _load(computation, values[-1])
            else:
                computation.code.program_counter = at
                try:
                    what(computation=computation)
                except Halt:
                    return
                # py-evm leaves bytes on the stack where it likes; an opcode pushes one at most.
                if values and type(values[-1]) is bytes:
                    values[-1] = int.from_bytes(values[-1], "big")
            gas = meter.gas_remaining
            continue
        if len(values) > _STACK_MAX:
            raise FullStack("the stack is full")


def _store(computation: Any, start: int, value: int) -> None:
    memory = computation._memory
    if start + 32 > len(memory._bytes):
        computation.extend_memory(start, 32)
    memory._bytes[start : start + 32] = value.to_bytes(32, "big")


def _load(computation: Any, start: int) -> int:
    memory = computation._memory
    if start + 32 > len(memory._bytes):
        computation.extend_memory(start, 32)
    return int.from_bytes(memory._bytes[start : start + 32], "big")


_WHOLE = 0x100
"""The one opcode that py-evm's own loop is shown."""


class _Code(CodeStream):
    """Code whose iteration is one step, which runs all of it."""

    def __iter__(self) -> Iterator[int]:
        yield _WHOLE


class Computation(ParisComputation):
    """A computation under Paris rules."""

    opcodes = {_WHOLE: _run}  # type: ignore[dict-item]  # noqa: RUF012

    def __init__(
        self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI
    ) -> None:
        super().__init__(state, message, transaction_context)
        self.code = _Code(message.code)


class State(ParisState):
    """The state under Paris rules."""

    computation_class = Computation
    account_db_class = Accounts


class Machine(ParisVM):
    """py-evm's machine under Paris rules."""

    _state_class = State
