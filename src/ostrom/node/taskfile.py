"""A task before it is one: what a sponsor writes down, checked, and what follows from it.

The file is TOML. Everything in it is checked before anything is published or paid, and every fault
is one line that names its place.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from ostrom.chain.hashes import task_id_of
from ostrom.codec import INTEGER_MAX, address_bytes, checksum_address, is_address, keccak
from ostrom.errors import InputError
from ostrom.mechanisms import format_mechanisms, only, parse_mechanisms
from ostrom.node.specs import build_spec
from ostrom.spec import Shape, Spec
from ostrom.storage import Store, cid_of, digest_of
from ostrom.tensors import chunk_root, encode_tensors, quantise
from ostrom.types import Address, Digest, TaskParams

FILE_BYTES_MAX = 1 << 20
NOBODY = checksum_address(bytes(20))
DAY_SECONDS = 24 * 3_600

# The contract's limits, `contracts/src/libraries/Limits.sol`; a test holds them equal.
PHASE_SECONDS_MAX = 30 * DAY_SECONDS
ROUNDS_MAX = 100_000
TRAINERS_MAX = 100_000
VALIDATORS_MAX = 64
QUORUM_BPS_MIN, QUORUM_BPS_MAX = 6_667, 10_000
UNITS_MAX = (1 << 128) - 1
AMOUNT_CHARACTERS_MAX = 80


Amount = Annotated[str, BeforeValidator(lambda value: _amount(value))]
"""Whole tokens: an integer, or decimal text such as "0.5"."""

Seconds = Annotated[int, Field(ge=1, le=PHASE_SECONDS_MAX)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ModelTable(_Table):
    """The model: its text, one example's shape, and what its first parameters follow from."""

    name: str
    shape: Shape
    classes: int = Field(ge=2, le=100_000)
    seed: int = Field(default=1, ge=0, le=INTEGER_MAX)

    @field_validator("shape", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class MechanismTable(_Table):
    """The mechanisms that all parties recompute, as canonical text."""

    algorithm: str
    aggregation: str = "mean"
    scorer: str = "leave_one_out"
    incentive: str = "proportional"
    compression: str = "none"
    participation: str = "all"
    target: str = "none"

    @field_validator("*")
    @classmethod
    def _canonical(cls, text: str) -> str:
        return format_mechanisms(parse_mechanisms(text))


class PhaseTable(_Table):
    """How long each phase may last, in seconds; it closes early once everybody has acted."""

    join: Seconds = DAY_SECONDS
    commit: Seconds = 3_600
    reveal: Seconds = 3_600
    score: Seconds = 3_600
    score_reveal: Seconds = 3_600
    attest: Seconds = 3_600


class TaskFile(_Table):
    """A task as its sponsor writes it down.

    Amounts are in whole tokens. `name` tells tasks with equal rules apart: the same file makes the
    same task, so creating it twice pays once. `membership` is the address of a contract that says
    who may join, such as an AllowList; `store` gets spec and first model: a store's folder, or the
    URL of a Kubo node's RPC.

    >>> task = TaskFile.parse(EXAMPLE)
    >>> task.mechanisms.aggregation, task.phases.commit
    ('trimmed_mean(f=1)', 600)
    """

    name: str = Field(default="", max_length=256)
    pool: Amount
    trainer_stake: Amount
    validator_stake: Amount
    rounds: int = Field(ge=1, le=ROUNDS_MAX)
    max_trainers: int = Field(ge=1, le=TRAINERS_MAX)
    quorum_bps: int = Field(default=QUORUM_BPS_MIN, ge=QUORUM_BPS_MIN, le=QUORUM_BPS_MAX)
    validators: tuple[str, ...] = Field(min_length=1, max_length=VALIDATORS_MAX)
    membership: str = NOBODY
    store: str | None = None
    phases: PhaseTable = PhaseTable()
    model: ModelTable
    mechanisms: MechanismTable

    @field_validator("membership")
    @classmethod
    def _is_account(cls, text: str) -> str:
        return _account(text)

    @field_validator("validators", mode="before")
    @classmethod
    def _are_accounts(cls, value: Any) -> Any:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return value
        accounts = [_account(one) for one in value]
        twice = [one for one in accounts if accounts.count(one) > 1]
        if twice:
            raise ValueError(f"{twice[0]} is named twice")
        return tuple(sorted(accounts, key=str.lower))

    @classmethod
    def parse(cls, text: str) -> TaskFile:
        """The task that TOML text describes.

        Raises:
            InputError: the first fault, in one line.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"not TOML: {error}") from None
        except ValidationError as error:
            raise InputError(_fault(error)) from None

    @classmethod
    def read(cls, path: Path) -> TaskFile:
        """The task in a file.

        Raises:
            InputError: it cannot be read, or the first fault in it, in one line.
        """
        try:
            with path.open("rb") as stream:
                data = stream.read(FILE_BYTES_MAX + 1)
            text = data.decode("utf-8")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise InputError(f"{path}: not TOML: it is not UTF-8") from None
        if len(data) > FILE_BYTES_MAX:
            raise InputError(f"{path}: a task file has at most {FILE_BYTES_MAX} bytes")
        try:
            return cls.parse(text)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def prepare(self, *, sponsor: Address, token: Address, decimals: int = 18) -> PreparedTask:
        """All that the task names: the spec, the first model, and the parameters for the chain.

        `decimals` are the token's. Builds the model, so that a task that cannot be trained is
        refused here.

        Raises:
            InputError: the mechanisms do not exist or do not fit, or an amount cannot be.
        """
        from ostrom.training import build_model

        made, chosen = self.model, _Chosen(**self.mechanisms.model_dump(), rounds=self.rounds)
        _refuse_exact_scores(chosen.scorer, self.max_trainers)
        model = build_model(made.name, shape=made.shape, classes=made.classes)
        spec = build_spec(chosen, model)
        initial = {"parameters": quantise(model.initial(made.seed))}
        files = (spec.encode(), encode_tensors(initial))
        params = TaskParams(
            sponsor=sponsor,
            token=token,
            pool=units(self.pool, decimals, least=1),
            trainer_stake=units(self.trainer_stake, decimals),
            validator_stake=units(self.validator_stake, decimals, least=1),
            rounds=self.rounds,
            max_trainers=self.max_trainers,
            quorum_bps=self.quorum_bps,
            **{f"{name}_time": seconds for name, seconds in self.phases.model_dump().items()},
            membership=Address(self.membership),
            validators=tuple(Address(one) for one in self.validators),
            spec=digest_of(cid_of(files[0])),
            model=digest_of(cid_of(files[1])),
            model_root=chunk_root(initial["parameters"]),
            salt=keccak(f"ostrom task {self.name}".encode()),
        )
        return PreparedTask(spec, params, files)


@dataclass(frozen=True)
class _Chosen:
    algorithm: str
    aggregation: str
    scorer: str
    incentive: str
    compression: str
    participation: str
    target: str
    rounds: int


@dataclass(frozen=True)
class PreparedTask:
    """A task that is ready to be created; `files` are the spec's and the first model's bytes."""

    spec: Spec
    params: TaskParams
    files: tuple[bytes, bytes]

    @property
    def task_id(self) -> Digest:
        """The task's name on the chain."""
        return task_id_of(self.params)

    def publish(self, store: Store) -> tuple[str, str]:
        """Put spec and first model into a store; their CIDs."""
        spec, model = (store.put(file) for file in self.files)
        return spec, model


def account_of(text: str) -> Address:
    """The account that a user wrote; one whose checksum is wrong is refused.

    Raises:
        InputError: it is no account.

    >>> account_of("0x7e5f4552091a69125d5dfcb7b8c2659029395bdf")
    '0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf'
    """
    try:
        return _account(text)
    except ValueError as error:
        raise InputError(str(error)) from None


def units(amount: str | int, decimals: int = 18, *, least: int = 0) -> int:
    """An amount of whole tokens in the token's smallest unit.

    Raises:
        InputError: it is no amount, is finer than the smallest unit, or is out of range.

    >>> units("0.5", 6), units(100) == 100 * 10**18
    (500000, True)
    """
    try:
        whole, _, part = _amount(amount).partition(".")
    except ValueError as error:
        raise InputError(str(error)) from None
    part = part.rstrip("0")
    if len(part) > decimals:
        raise InputError(f"{amount} has more than {decimals} decimals")
    found = int((whole + part.ljust(decimals, "0")) or "0")
    if not least <= found <= UNITS_MAX:
        raise InputError(f"{amount} is too {'small' if found < least else 'large'} an amount")
    return found


def in_tokens(amount: int, decimals: int = 18) -> str:
    """An amount in the token's smallest unit as exact decimal text; the inverse of `units`.

    >>> in_tokens(1_500_000, 6), in_tokens(100 * 10**18), in_tokens(1)
    ('1.5', '100', '0.000000000000000001')
    """
    whole, rest = divmod(amount, 10**decimals)
    return f"{whole}.{rest:0{decimals}}".rstrip("0") if rest else str(whole)


EXAMPLE = """\
name = "digits"
pool = 10_000
trainer_stake = 100
validator_stake = 1_000
rounds = 10
max_trainers = 10
validators = ["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"]

[phases]
commit = 600

[model]
name = "mlp(hidden=64)"
shape = [8, 8]
classes = 10

[mechanisms]
algorithm = "fedavg(epochs=1)"
aggregation = "trimmed_mean(f=1)"
"""
"""A small task file, for documentation and tests."""


def _amount(value: Any) -> str:
    """An amount's text; nothing but digits and a point is taken for one."""
    text = "" if isinstance(value, (bool, float)) else str(value)
    plain = text.replace(".", "", 1)
    if not (plain.isascii() and plain.isdigit() and len(text) <= AMOUNT_CHARACTERS_MAX):
        raise ValueError(
            f'an amount is a number of tokens such as 100 or "0.5", not {str(value)[:40]!r}'
        )
    return text


def _account(text: str) -> Address:
    """An account with its checksum; one whose checksum is wrong is refused."""
    if not is_address(text):
        raise ValueError("an account is 0x and 40 hexadecimal digits")
    account = checksum_address(address_bytes(Address(text)))
    if text not in (account, text.lower()):
        raise ValueError(f"{text} has a wrong checksum: check every digit")
    return account


def _refuse_exact_scores(text: str, trainers: int) -> None:
    from ostrom.verification.shapley import EXACT_MAX

    if only(text).name == "exact_shapley" and trainers > EXACT_MAX:
        raise InputError(f"exact_shapley takes at most {EXACT_MAX} trainers: use gtg_shapley")


def _fault(error: ValidationError) -> str:
    """The fault to mend first, in one line: a name that does not exist, before what is missing."""
    faults = error.errors()
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{place} is not known: {_nearest(fault['loc'])}"
    if fault["type"] == "missing":
        return f"{place} is missing"
    said = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {said[:1].lower()}{said[1:]}"


def _nearest(place: tuple[int | str, ...]) -> str:
    """The names that were probably meant."""
    table: type[BaseModel] = TaskFile
    for part in place[:-1]:
        inner = table.model_fields[str(part)].annotation
        assert isinstance(inner, type)
        table = inner
    known = list(table.model_fields)
    close = get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"choose among {', '.join(known)}"
