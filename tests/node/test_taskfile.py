"""Task files: what they refuse, and that the same file is the same task everywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError
from ostrom.node import taskfile
from ostrom.node.specs import build_spec
from ostrom.node.taskfile import EXAMPLE, NOBODY, TaskFile, account_of, in_tokens, units
from ostrom.sim import RunConfig
from ostrom.spec import Spec
from ostrom.storage import MemoryStore, cid_from_digest
from ostrom.tensors import FILE_BYTES_MAX, decode_tensors
from ostrom.training import build_model

ROOT = Path(__file__).parents[2]
LIMITS = ROOT / "contracts" / "src" / "libraries" / "Limits.sol"
VERA = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
VIKTOR = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"


def prepared(text: str = EXAMPLE) -> taskfile.PreparedTask:
    return TaskFile.parse(text).prepare(sponsor=NOBODY, token=NOBODY)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rounds = 10", "", "rounds is missing"),
        ("rounds = 10", "rounds = 0", "rounds: input should be greater than or equal to 1"),
        ("rounds = 10", "rounds = 100_001", "rounds: input should be less than or equal to"),
        ("rounds = 10", 'rounds = "10"', "rounds: input should be a valid integer"),
        ("rounds = 10", "rounds = true", "rounds: input should be a valid integer"),
        ("rounds = 10", "round = 10", "round is not known: did you mean rounds?"),
        ("rounds = 10", "rounds = 10\nzzz = 1", "zzz is not known: choose among name, pool"),
        ("commit = 600", "comit = 600", "phases.comit is not known: did you mean commit?"),
        ("commit = 600", "commit = 0", "phases.commit: input should be greater"),
        ("commit = 600", "commit = 2_592_001", "phases.commit: input should be less"),
        ("pool = 10_000", "pool = 0", "0 is too small an amount"),
        ("pool = 10_000", "pool = -1", "pool: an amount is a number of tokens"),
        ("pool = 10_000", "pool = 1.5", "pool: an amount is a number of tokens"),
        ("pool = 10_000", 'pool = "1e9"', "pool: an amount is a number of tokens"),
        ("pool = 10_000", 'pool = "' + "9" * 60 + '"', "is too large an amount"),
        ("pool = 10_000", f'pool = "0.{"0" * 18}1"', "has more than 18 decimals"),
        ("max_trainers", "quorum_bps = 6_666\nmax_trainers", "quorum_bps: input should be"),
        (f'"{VERA}"', "", "validators: "),
        (f'"{VERA}"', '"vera"', "validators: an account is 0x and 40 hexadecimal digits"),
        (f'"{VERA}"', f'"{VERA}", "{VERA.lower()}"', f"{VERA} is named twice"),
        (VERA, VERA.replace("Bdf", "bdf"), "has a wrong checksum: check every digit"),
        ("max_trainers", 'membership = "all"\nmax_trainers', "membership: an account is 0x"),
        ("shape = [8, 8]", "shape = []", "model.shape: "),
        ("shape = [8, 8]", "shape = [8, 0]", "model.shape.1: "),
        ("classes = 10", "classes = 1", "model.classes: "),
        ("mlp(hidden=64)", "mlp(hidden=0)", "hidden must be an integer of at least 1"),
        ("mlp(hidden=64)", "mpl", "there is no 'mpl' here: choose among"),
        ("fedavg(epochs=1)", "fedavg(epochs=0)", "epochs"),
        ("trimmed_mean(f=1)", "mean|mean", "rule"),
        ("aggregation", 'scorer = "exact_shapley"\nmax_trainers = 3\naggregation', "not known"),
        ("aggregation", 'scorer = "guess"\naggregation', "there is no 'guess' here"),
        ("aggregation", 'target = "fame(at_least=1)"\naggregation', "there is no 'fame' here"),
        ("aggregation", 'incentive = "bribes"\naggregation', "there is no 'bribes' here"),
        ("aggregation", 'compression = "zip"\naggregation', "zip"),
        ("[model]", "[model", "not TOML: "),
        ("[phases]", "phases = 3\n[x]", "x is not known"),
    ],
)
def test_a_task_that_cannot_be_is_one_line_that_names_its_place(
    old: str, new: str, said: str
) -> None:
    assert old in EXAMPLE
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        prepared(EXAMPLE.replace(old, new, 1))
    assert "\n" not in str(caught.value)


def test_exact_scores_of_many_trainers_are_refused_before_a_task_exists() -> None:
    text = EXAMPLE.replace("aggregation", 'scorer = "exact_shapley"\naggregation')
    assert prepared(text).spec.scorer == "exact_shapley"
    with pytest.raises(InputError, match="exact_shapley takes at most 10 trainers"):
        prepared(text.replace("max_trainers = 10", "max_trainers = 11"))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        TaskFile.read(tmp_path / "task.toml")
    file = tmp_path / "task.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        TaskFile.read(file)
    file.write_bytes(b"#" * (taskfile.FILE_BYTES_MAX + 1))
    with pytest.raises(InputError, match="at most 1048576 bytes"):
        TaskFile.read(file)
    file.write_text(EXAMPLE.replace("rounds = 10", "rounds = 0"))
    with pytest.raises(InputError, match=re.escape(f"{file}: rounds: ")):
        TaskFile.read(file)


def test_the_limits_are_the_contracts() -> None:
    text = LIMITS.read_text("utf-8")
    found = dict(re.findall(r"constant (\w+_M(?:AX|IN)) = ([\d_]+)(?! days)", text))
    for name in ("ROUNDS_MAX", "TRAINERS_MAX", "VALIDATORS_MAX", "QUORUM_BPS_MIN"):
        assert getattr(taskfile, name) == int(found[name]), name
    assert int(found["QUORUM_BPS_MAX"]) == taskfile.QUORUM_BPS_MAX
    assert "PHASE_SECONDS_MAX = 30 days" in text
    assert taskfile.PHASE_SECONDS_MAX == 30 * 86_400


def test_the_parameters_are_what_the_file_says() -> None:
    found = prepared().params
    assert found.pool == 10_000 * 10**18
    assert (found.trainer_stake, found.validator_stake) == (100 * 10**18, 1_000 * 10**18)
    assert (found.rounds, found.max_trainers, found.quorum_bps) == (10, 10, 6_667)
    assert (found.join_time, found.commit_time, found.score_reveal_time) == (86_400, 600, 3_600)
    assert found.validators == (VERA,)
    assert found.membership == NOBODY


def test_validators_are_in_the_order_that_the_contract_wants() -> None:
    both = EXAMPLE.replace(f'"{VERA}"', f'"{VERA}", "{VIKTOR.lower()}"')
    assert prepared(both).params.validators == (VIKTOR, VERA)
    assert prepared(both) == prepared(EXAMPLE.replace(f'"{VERA}"', f'"{VIKTOR}", "{VERA}"'))


def test_the_same_file_is_the_same_task_and_another_name_is_another() -> None:
    assert prepared().task_id == prepared().task_id
    renamed = EXAMPLE.replace('"digits"', '"digits-2"')
    assert prepared(renamed).task_id != prepared().task_id
    one, other = prepared().params, prepared(renamed).params
    assert replace(other, salt=one.salt) == one


def test_another_seed_is_another_first_model() -> None:
    other = prepared(EXAMPLE.replace("classes = 10", "classes = 10\nseed = 2")).params
    assert other.model != prepared().params.model
    assert other.spec == prepared().params.spec


def test_what_is_published_is_what_the_parameters_name() -> None:
    store, task = MemoryStore(), prepared()
    task.publish(store)
    spec = store.get(cid_from_digest(task.params.spec, "raw"), max_bytes=1 << 20)
    assert Spec.decode(spec) == task.spec
    model = store.get(cid_from_digest(task.params.model), max_bytes=FILE_BYTES_MAX)
    assert len(decode_tensors(model)["parameters"]) == task.spec.parameters


def test_a_task_file_and_a_simulation_of_the_same_choice_have_the_same_spec() -> None:
    config = RunConfig(
        dataset="digits",
        model="mlp(hidden=64)",
        algorithm="fedavg(epochs=1)",
        aggregation="trimmed_mean(f=1)",
        rounds=10,
    )
    model = build_model(config.model, shape=(8, 8), classes=10)
    assert build_spec(config, model) == prepared().spec


@given(st.integers(0, 10**30), st.integers(0, 20))
def test_amounts_survive_being_written_down(amount: int, decimals: int) -> None:
    assert units(in_tokens(amount, decimals), decimals) == amount


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_one_line(text: str) -> None:
    try:
        said = f"{units(text)}"
    except InputError as error:
        said = str(error)
    assert said
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", ".", "1.2.3", "+1", " 1", "\u0661", "0x10", "1_000", "nan"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="an amount is a number of tokens"):
        units(text)


@pytest.mark.parametrize("text", ["", "0x", VERA[:-1], VERA + "0", VERA[2:], VERA.upper()])
def test_what_is_no_account_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"an account is|has a wrong checksum"):
        account_of(text)
