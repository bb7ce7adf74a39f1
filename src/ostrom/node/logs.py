"""A node's log: one line for each thing that happened, as text for people or JSON for machines.

Any module logs as usual, with what it is about in `extra`; of that, only the names in `FIELDS` are
written. What must stay secret is handed to `protect` once and never appears in a line, whoever
logs it, not even inside an error's text.

Threat answered: keys, passphrases, salts and the secrets in RPC addresses in logs; control
characters and line breaks in what strangers say. Not answered: a debugger, or a core dump.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import IO, Literal
from urllib.parse import urlsplit

FIELDS = (
    "role",
    "task",
    "round",
    "phase",
    "block",
    "act",
    "tx",
    "gas",
    "url",
    "depth",
    "error",
)
"""What a line may carry beside its message, in this order."""

VALUE_CHARACTERS_MAX = 256
LINE_CHARACTERS_MAX = 8_192
SECRET_CHARACTERS_MIN = 6
"""Shorter secrets are not searched for: a passphrase of one letter would redact every word."""

PASSING_MAX = 96
"""Forms of secrets that do not last: three for each of the newest 32."""

REDACTED = "[secret]"

_NAMED = re.compile(
    r"(?i)\b(salt|passphrase|password|secret|private_key|privatekey|authorization)\b"
    r"(['\"]?\s*[=:]\s*)(b?'[^']*'|b?\"[^\"]*\"|[^\s,)}\]]+)"
)
"""A value that its name gives away as a secret."""

_USER = re.compile(r"(?i)\b(https?://)[^/\s@'\"]+@")


class Secrets:
    """What no line may show. Threads may share it."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._passing: deque[str] = deque()
        self._search: tuple[re.Pattern[str], Mapping[str, str]] | None = None
        # Reentrant, since a signal's handler may log in the middle of a line.
        self._lock = threading.RLock()

    def protect(self, secret: str | bytes, shown: str = REDACTED, *, lasting: bool = True) -> None:
        """Replace that text, or these bytes in hexadecimal or as Python writes them, by `shown`.

        Of secrets that do not last, such as a round's salt, only the newest are kept.
        """
        forms = (secret,) if isinstance(secret, str) else _forms(secret)
        with self._lock:
            fresh = [one for one in forms if len(one) >= SECRET_CHARACTERS_MIN]
            fresh = [one for one in fresh if one not in self._texts]
            if not fresh:
                return
            self._texts.update(dict.fromkeys(fresh, shown))
            self._search = None
            if not lasting:
                self._passing.extend(fresh)
                while len(self._passing) > PASSING_MAX:
                    self._texts.pop(self._passing.popleft(), None)

    def _found(self) -> tuple[re.Pattern[str], Mapping[str, str]]:
        """A pattern for all of them, made anew after a change, and what is shown instead."""
        with self._lock:
            if self._search is None:
                # The longest first, since a secret may hold another one.
                forms = sorted(self._texts, key=len, reverse=True)
                pattern = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE)
                self._search = pattern, {one.lower(): self._texts[one] for one in forms}
            return self._search

    def protect_url(self, url: str) -> None:
        """Show an address as scheme, host and port: providers put access keys into the rest."""
        shown, parts = place_of(url), urlsplit(url)
        if shown != url:
            self.protect(url, shown)
            for part in (*parts.path.split("/"), parts.query, parts.password or ""):
                self.protect(part)

    def redact(self, text: str) -> str:
        """The text without secrets.

        >>> secrets = Secrets()
        >>> secrets.protect(bytes.fromhex("aabbccdd"))
        >>> secrets.redact("0xAABBCCDD, salt=1234 and http://me:pw@host/")
        '0x[secret], salt=[secret] and http://[secret]@host/'
        """
        if self._texts:
            pattern, shown = self._found()
            text = pattern.sub(lambda found: shown.get(found[0].lower(), REDACTED), text)
        text = _NAMED.sub(rf"\1\2{REDACTED}", text)
        return _USER.sub(rf"\1{REDACTED}@", text)


def _forms(secret: bytes) -> Iterable[str]:
    return secret.hex(), repr(secret)[2:-1], str(int.from_bytes(secret, "big"))


def place_of(url: str) -> str:
    """Scheme, host and port of a URL, which is what a line may show of it.

    >>> place_of("https://user:pw@node.example:8545/v3/key")
    'https://node.example:8545'
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


class Lines(logging.Formatter):
    """One line a record, as JSON for machines or as text for people. Times are in UTC.

    A fault of the program comes with its trace: in JSON as a list, in text as indented lines.
    """

    def __init__(self, secrets: Secrets, *, as_json: bool) -> None:
        super().__init__()
        self._secrets, self._as_json = secrets, as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, without secrets and control characters."""
        fields = {name: _plain(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            fault = record.exc_info[1]
            fields.setdefault("error", f"{type(fault).__name__}: {fault}")
        most = VALUE_CHARACTERS_MAX
        parts = {name: self._clean(str(value), most) for name, value in fields.items()}
        message = self._clean(record.getMessage())
        trace = self._trace(record)
        if self._as_json:
            whole = {name: v for name, v in fields.items() if isinstance(v, int)}
            line = {"time": _stamp(record), "level": record.levelname.lower()}
            line |= {"logger": record.name, "message": message, **parts}
            return json.dumps({**line, **whole, **({"trace": trace} if trace else {})})
        tail = "".join(f" {name}={_quoted(value)}" for name, value in parts.items())
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        indented = "".join(f"\n    {one}" for one in trace)
        return f"{_stamp(record)} {level}{message}{tail}{indented}"

    def _clean(self, text: str, most: int = LINE_CHARACTERS_MAX) -> str:
        # Cut after the search: half a secret would not be found.
        one = self._secrets.redact(text[: 4 * LINE_CHARACTERS_MAX])[:most]
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in one)

    def _trace(self, record: logging.LogRecord) -> list[str]:
        """Where a program error happened; its lines go through the same sieve."""
        if not record.exc_info or record.levelno < logging.ERROR:
            return []
        return [self._clean(line) for line in self.formatException(record.exc_info).splitlines()]


def _plain(record: logging.LogRecord, name: str) -> object:
    """A field's value: an integer as it is, bytes in hexadecimal, all else as text."""
    value = getattr(record, name)
    if isinstance(value, int) and not hasattr(value, "name"):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return str(getattr(value, "name", value))


def _stamp(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if " " in value or '"' in value else value


def configure(
    *,
    level: str = "info",
    form: Literal["human", "json"] = "human",
    secrets: Secrets | None = None,
    stream: IO[str] | None = None,
) -> logging.Handler:
    """Send everything that this process logs to `stream` (standard error), one line each.

    Other libraries speak from "warning" on. Calling it again replaces what it did before.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(secrets or Secrets(), as_json=form == "json"))
    handler.set_name("ostrom")
    root = logging.getLogger()
    for old in [one for one in root.handlers if one.get_name() == "ostrom"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("ostrom").setLevel(level.upper())
    # A line for each request, with its whole URL, is theirs at "info".
    for noisy in ("httpx", "httpcore", "urllib3", "web3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # A warning for each malformed request, which any stranger can send.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    return handler
