"""The log: what a line holds, and what none ever shows."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.chain.wallet import Key, simulation_key
from ostrom.node.logs import FIELDS, REDACTED, Secrets, configure, place_of
from ostrom.types import Phase

log = logging.getLogger("ostrom.node.test")

Made = Callable[..., io.StringIO]


@pytest.fixture
def made() -> Iterator[Made]:
    """Starts a log that is read as text; what was before is put back."""
    root, ours = logging.getLogger(), logging.getLogger("ostrom")
    before = root.level, ours.level, list(root.handlers)

    def make(form: Literal["human", "json"] = "human", **options: Any) -> io.StringIO:
        stream = io.StringIO()
        configure(form=form, stream=stream, **options)
        return stream

    yield make
    root.handlers[:] = before[2]
    root.setLevel(before[0])
    ours.setLevel(before[1])


def test_a_json_line_holds_the_fields_and_nothing_else_of_extra(made: Made) -> None:
    out = made("json")
    about = {"round": 3, "phase": Phase.REVEAL, "tx": b"\xab" * 32, "act": "reveal", "other": 1}
    log.info("sent %s", "it", extra=about)
    line = json.loads(out.getvalue())
    stamp = line.pop("time")
    assert stamp.endswith("Z")
    assert line == {
        "level": "info",
        "logger": "ostrom.node.test",
        "message": "sent it",
        "round": 3,
        "phase": "REVEAL",
        "act": "reveal",
        "tx": "ab" * 32,
    }


def test_a_line_for_people_names_the_same(made: Made) -> None:
    out = made()
    log.warning("no answer", extra={"error": "timed out", "block": 7})
    (line,) = out.getvalue().splitlines()
    assert line.split(" ", 1)[1] == 'warning: no answer block=7 error="timed out"'


@pytest.mark.parametrize("form", ["human", "json"])
def test_what_a_stranger_says_stays_one_line_without_control_characters(
    made: Made, form: Literal["human", "json"]
) -> None:
    out = made(form)
    log.info("a\nb\x1b[2J\r\u2028c %s", "d\ne", extra={"act": "f\ng\x00"})
    (line,) = out.getvalue().splitlines()
    assert all(character.isprintable() for character in line)


def test_very_long_lines_are_cut(made: Made) -> None:
    out = made()
    log.info("%s", "a" * 1_000_000, extra={"act": "b" * 1_000_000})
    assert len(out.getvalue()) < 10_000


def test_a_secret_is_not_cut_in_half_before_it_is_found(made: Made) -> None:
    secrets, word = Secrets(), "correct-horse-battery-staple"
    secrets.protect(word)
    out = made("json", secrets=secrets)
    for spare in range(0, 30, 3):
        log.info("%s", "a" * (8_192 - spare) + word, extra={"act": "b" * (256 - spare) + word})
    assert "corr" not in out.getvalue()


def test_levels_and_loggers_of_others_are_quiet(made: Made) -> None:
    out = made(level="debug")
    log.debug("ours")
    for name in ("httpx", "urllib3", "web3", "asyncio"):
        logging.getLogger(name).info("theirs")
    logging.getLogger("uvicorn").warning("a stranger's request")
    assert [line.split(" ")[-1] for line in out.getvalue().splitlines()] == ["ours"]


def test_configuring_twice_does_not_say_everything_twice(made: Made) -> None:
    first, second = made(), made()
    log.info("once")
    assert (first.getvalue(), second.getvalue().count("once")) == ("", 1)


def test_a_program_error_shows_where_and_not_what(made: Made) -> None:
    secrets = Secrets()
    secrets.protect("correct horse")
    for form in ("human", "json"):
        out = made(form, secrets=secrets)
        try:
            raise ValueError("bad correct horse\nof salt=0x1234567")
        except ValueError:
            log.exception("stopped")
        text = out.getvalue()
        assert "test_logs.py" in text
        assert "correct horse" not in text
        assert "0x1234567" not in text
        assert REDACTED in text


def test_a_secret_is_found_in_every_form_and_case() -> None:
    secrets, salt = Secrets(), bytes(range(200, 232))
    secrets.protect(salt)
    forms = (
        salt.hex(),
        salt.hex().upper(),
        f"0x{salt.hex()}",
        repr(salt),
        str(int.from_bytes(salt)),
    )
    for form in forms:
        shown = secrets.redact(f"this is {form}.")
        assert REDACTED in shown
        assert salt.hex()[:16] not in shown.lower()
        assert repr(salt)[2:-1] not in shown


@pytest.mark.parametrize(
    "text",
    [
        "salt=abcdefgh",
        "Opening(update=1, salt=b'abcdefgh')",
        '{"salt": "abcdefgh"}',
        "passphrase: abcdefgh",
        "private_key=abcdefgh, more",
        "Authorization: abcdefgh",
        "https://user:abcdefgh@node.example/",
    ],
)
def test_what_its_name_gives_away_is_not_shown(text: str) -> None:
    assert "abcdefgh" not in Secrets().redact(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://node.example/v3/0123456789abcdef", "https://node.example"),
        ("https://user:secret-word@node.example:8545", "https://node.example:8545"),
        ("http://[::1]:8545/key-key-key", "http://[::1]:8545"),
        ("https://node.example?apikey=0123456789", "https://node.example"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
    ],
)
def test_an_address_is_shown_without_its_key(url: str, shown: str) -> None:
    secrets = Secrets()
    secrets.protect_url(url)
    assert place_of(url) == shown
    assert secrets.redact(f"cannot reach {url}: refused") == f"cannot reach {shown}: refused"
    for hidden in ("0123456789", "secret-word", "key-key-key"):
        assert hidden not in secrets.redact(f"GET /{url.rpartition('/')[2]} failed")


@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_text_around_a_secret_saves_it(secret: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.protect(secret, "*")
    assert secret not in secrets.redact(before + secret + after) or secret in before + after + "*"


def test_old_salts_are_forgotten_and_passphrases_are_not() -> None:
    secrets = Secrets()
    secrets.protect("correct horse")
    salts = [number.to_bytes(32, "big") for number in range(1 << 250, (1 << 250) + 100)]
    for salt in salts:
        for _ in range(3):
            secrets.protect(salt, lasting=False)
    shown = [secrets.redact(salt.hex()) == REDACTED for salt in salts]
    assert shown == [False] * 68 + [True] * 32
    assert secrets.redact("correct horse") == REDACTED


def test_threads_may_protect_and_log_at_once() -> None:
    secrets, lines = Secrets(), []
    secrets.protect("correct horse")

    def work(start: int) -> None:
        for number in range(start, start + 10):
            secrets.protect((number << 200).to_bytes(32, "big"), lasting=False)
            lines.append(secrets.redact("a correct horse"))

    threads = [threading.Thread(target=work, args=(1_000 * (i + 1),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(lines) == {f"a {REDACTED}"}


def test_a_short_secret_does_not_redact_every_word() -> None:
    secrets = Secrets()
    secrets.protect("a")
    assert secrets.redact("a cat") == "a cat"


def test_nothing_that_anybody_logs_shows_a_key_a_passphrase_or_a_salt(made: Made) -> None:
    raw, word, salt = bytes(range(100, 132)), "correct horse battery", bytes(range(1, 33))
    secrets = Secrets()
    for one in (raw, word, salt):
        secrets.protect(one)
    out, key = made("json", level="debug", secrets=secrets), Key(raw)
    careless: list[object] = [key, raw, word, salt, raw.hex(), {"salt": salt}, [key], (word, 1)]
    for thing in careless:
        log.debug("thing %s", thing)
        log.error("%r", thing, extra=dict.fromkeys(FIELDS, thing))
        logging.getLogger("httpx").error("theirs %s", thing)
        try:
            raise RuntimeError(thing)
        except RuntimeError as error:
            log.exception("failed: %s", error)
    threads = [threading.Thread(target=log.info, args=("in %s", one)) for one in careless]
    for thread in threads:
        thread.start()
        thread.join()
    text = out.getvalue()
    assert text.count("\n") == 5 * len(careless)
    for secret in (raw.hex(), repr(raw)[2:-1], word, salt.hex(), str(int.from_bytes(raw, "big"))):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text


def test_a_request_of_the_http_library_does_not_tell_where_to(made: Made) -> None:
    out = made(level="debug")
    with pytest.raises(httpx.ConnectError):
        httpx.get("http://127.0.0.1:9/v3/0123456789abcdef", trust_env=False)
    assert "0123456789abcdef" not in out.getvalue()


def test_a_key_says_its_address_alone(made: Made) -> None:
    out, key = made(), simulation_key(0, "alice")
    log.info("%s %r", key, key)
    assert out.getvalue().count(key.address) == 2


def test_a_log_needs_no_library_of_nodes() -> None:
    program = (
        "import sys, ostrom.node.logs\n"
        "heavy = {'torch', 'web3', 'starlette', 'httpx', 'prometheus_client'} & set(sys.modules)\n"
        "print(sorted(heavy - {'torch', 'web3'}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
