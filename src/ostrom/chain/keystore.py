"""Private keys in files, locked with a passphrase: Ethereum keystores of version 3.

Web3 Secret Storage Definition: https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage.
geth, Besu's tools and most wallets read and write the same files.

Threat answered: whoever reads or copies the file without its passphrase; a killed writer; a hostile
file that asks for hours of work. Not answered: a weak passphrase; whoever can read this process.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ostrom.chain.wallet import ORDER, Key
from ostrom.codec import checksum_address, encode_document, parse_json
from ostrom.errors import CodecError, InputError
from ostrom.spec import first_line
from ostrom.types import Address

WORK = 1 << 18
"""scrypt's `n` of a new keystore: 256 MiB and about a second, as geth's standard."""

WORK_LIGHT = 1 << 12
"""For keys of local networks and tests: 4 MiB and some milliseconds, as geth's light ones."""

SCRYPT_COST_MAX = 1 << 22
"""The largest n * r * p that is tried: twice what geth's standard takes, 512 MiB at most."""

PBKDF2_COST_MAX = 10_000_000
FILE_BYTES_MAX = 1 << 16
PASSPHRASE_BYTES_MAX = 1 << 10

_PRIVATE = 0o600
_HEX_32 = r"^[0-9a-fA-F]{64}$"


def create(path: Path, passphrase: str, *, work: int = WORK) -> Key:
    """A fresh key from the system's randomness, locked into a new file for its owner's eyes.

    Raises:
        InputError: the file exists, cannot be written, or the passphrase is empty.
    """
    secret = (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big")
    return import_key(path, secret, passphrase, work=work)


def import_key(path: Path, secret: bytes, passphrase: str, *, work: int = WORK) -> Key:
    """Lock a private key of 32 bytes into a new file; errors as `create`.

    Raises:
        InputError: `secret` is no private key, too.
    """
    key = Key(secret)
    if not passphrase:
        raise InputError("an empty passphrase protects nothing: give one")
    _need_text(passphrase)
    if path.exists() or path.is_symlink():
        raise _exists(path)
    from eth_account import Account

    locked = Account.encrypt(secret, passphrase, kdf="scrypt", iterations=work)
    locked["address"] = str(locked["address"]).lower()
    _write_new(path, encode_document(dict(locked)))
    return key


def load(path: Path, passphrase: str) -> Key:
    """The key in a keystore.

    Raises:
        InputError: the file cannot be read, is no keystore, asks for more work than is sane, or has
            another passphrase.
    """
    keystore = _read(path)
    _need_text(passphrase)
    from eth_account import Account

    locked = keystore.model_dump(exclude={"address"}, exclude_none=True)
    try:
        key = Key(bytes(Account.decrypt(locked, passphrase)))
    except (ValueError, InputError):
        # Neither the library's words nor the traceback may show what was decrypted.
        key = None
    if key is None:
        raise InputError(f"the passphrase does not open {path}")
    if keystore.account not in (None, key.address):
        raise InputError(f"{path} says that it holds {keystore.account}, but holds {key.address}")
    return key


def address_of(path: Path) -> Address:
    """Whose key a keystore says it holds; its passphrase is not needed, so nothing is proved.

    Raises:
        InputError: the file cannot be read, is no keystore, or does not say.
    """
    account = _read(path).account
    if account is None:
        raise InputError(f"{path} does not say whose key it holds: only its passphrase tells")
    return account


def read_passphrase(path: Path) -> str:
    """The first line of a file.

    Raises:
        InputError: the file cannot be read, or its first line is too long or no text.
    """
    data = _bytes_of(path, FILE_BYTES_MAX)
    line = data.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        if len(line) <= PASSPHRASE_BYTES_MAX:
            return line.decode()
    except UnicodeDecodeError:
        pass
    raise InputError(
        f"the first line of {path} is no passphrase: UTF-8, at most {PASSPHRASE_BYTES_MAX} bytes"
    )


def _need_text(passphrase: str) -> None:
    try:
        passphrase.encode()
    except UnicodeEncodeError:
        raise InputError("the passphrase is no text in UTF-8") from None


def is_exposed(path: Path) -> bool:
    """True if others than the file's owner may read it."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class _Scrypt(_Part):
    dklen: Literal[32]
    n: int = Field(ge=2, le=SCRYPT_COST_MAX)
    r: int = Field(ge=1, le=1 << 10)
    p: int = Field(ge=1, le=1 << 10)
    salt: str = Field(pattern=r"^([0-9a-fA-F]{2}){1,128}$")

    @model_validator(mode="after")
    def _bound(self) -> _Scrypt:
        if self.n * self.r * self.p > SCRYPT_COST_MAX:
            raise ValueError("it asks for more work than any honest keystore")
        if self.n & (self.n - 1):
            raise ValueError("n must be a power of two")
        return self


class _Pbkdf2(_Part):
    dklen: Literal[32]
    c: int = Field(ge=1, le=PBKDF2_COST_MAX)
    prf: Literal["hmac-sha256"]
    salt: str = Field(pattern=r"^([0-9a-fA-F]{2}){1,128}$")


class _CipherParameters(_Part):
    iv: str = Field(pattern=r"^[0-9a-fA-F]{32}$")


class _Crypto(_Part):
    cipher: Literal["aes-128-ctr"]
    cipherparams: _CipherParameters
    ciphertext: str = Field(pattern=_HEX_32)
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: _Scrypt | _Pbkdf2
    mac: str = Field(pattern=_HEX_32)

    @model_validator(mode="before")
    @classmethod
    def _choose(cls, fields: Any) -> Any:
        """Read the parameters as those of the function that is named, so that faults are clear."""
        kinds: dict[str, type[_Part]] = {"scrypt": _Scrypt, "pbkdf2": _Pbkdf2}
        kind = kinds.get(str(fields.get("kdf"))) if isinstance(fields, dict) else None
        if kind is None:
            return fields
        return fields | {"kdfparams": kind.model_validate(fields.get("kdfparams"))}


class _Keystore(BaseModel):
    """What is needed of a keystore; wallets add fields of their own, which are left aside."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)

    version: Literal[3]
    crypto: _Crypto
    address: str | None = Field(default=None, pattern=r"^(0[xX])?[0-9a-fA-F]{40}$")

    @property
    def account(self) -> Address | None:
        """The address with its checksum; None where the file does not say."""
        return None if self.address is None else checksum_address(bytes.fromhex(self.address[-40:]))


def _read(path: Path) -> _Keystore:
    try:
        document = parse_json(_bytes_of(path, FILE_BYTES_MAX))
    except CodecError:
        raise InputError(f"{path} is no keystore: it is not JSON") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} is no keystore: it is not a JSON object")
    # Old versions of geth write `Crypto`.
    fields = {str(name).lower(): value for name, value in document.items()}
    try:
        return _Keystore.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"{path} is no keystore of version 3: {first_line(error)}") from None


def _bytes_of(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > limit:
        raise InputError(f"{path} has more than {limit} bytes: it is not the right file")
    return data


def _write_new(path: Path, data: bytes) -> None:
    """All of the file or nothing, and never over another: written beside it, flushed, linked."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with open(os.open(temporary, flags, _PRIVATE), "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            # A rename would replace a file that has appeared meanwhile; a link does not.
            os.link(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        _flush_folder(path.parent)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists: a key is never overwritten, choose another path")
