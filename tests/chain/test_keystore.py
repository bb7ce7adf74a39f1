"""Keystores: the official vectors, hostile files, and nothing of a key anywhere."""

from __future__ import annotations

import json
import logging
import os
import stat
import time
import traceback
from collections.abc import Callable
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import Any

import pytest
from Crypto.Cipher import AES

from ostrom.chain import keystore
from ostrom.chain.keystore import WORK_LIGHT, address_of, create, import_key, load, read_passphrase
from ostrom.chain.wallet import Key
from ostrom.codec import keccak
from ostrom.errors import InputError

# https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage
SECRET = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
PASSPHRASE = "testpassword"
ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"
PBKDF2 = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "r": 1,
            "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}

Change = Callable[[Any], Any]

SECONDS_MAX = 5
"""A hostile file asks for hours; reading it takes milliseconds on any machine."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a keystore of the vectors' key will be."""
    return tmp_path / "keys" / "alice.json"


@pytest.fixture
def locked(path: Path) -> Path:
    """A keystore of the vectors' key, cheap to open."""
    import_key(path, SECRET, PASSPHRASE, work=WORK_LIGHT)
    return path


def changed(path: Path, change: Change) -> Path:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def parameters(document: Any) -> Any:
    return document["crypto"]["kdfparams"]


@pytest.mark.parametrize("vector", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_the_official_vectors_open(tmp_path: Path, vector: Any) -> None:
    file = tmp_path / "vector.json"
    file.write_text(json.dumps(vector))
    assert load(file, PASSPHRASE).address == ADDRESS


def test_a_file_without_an_address_says_so(tmp_path: Path) -> None:
    file = tmp_path / "vector.json"
    file.write_text(json.dumps(PBKDF2))
    with pytest.raises(InputError, match="does not say whose key it holds"):
        address_of(file)


def test_a_fresh_key_is_locked_as_geth_does_and_opens(path: Path) -> None:
    made = create(path, PASSPHRASE)
    document = json.loads(path.read_text())
    assert parameters(document)["n"] == 262144
    assert document["crypto"]["kdf"] == "scrypt"
    assert document["address"] == made.address[2:].lower()
    assert load(path, PASSPHRASE).address == made.address == address_of(path)


def test_two_fresh_keys_differ(tmp_path: Path) -> None:
    made = {create(tmp_path / f"{i}", "x", work=WORK_LIGHT).address for i in range(3)}
    assert len(made) == 3


def test_only_the_owner_may_read_the_file(locked: Path) -> None:
    assert stat.S_IMODE(locked.stat().st_mode) == 0o600
    assert not keystore.is_exposed(locked)
    locked.chmod(0o640)
    assert keystore.is_exposed(locked)


def test_nothing_else_is_left_in_the_folder(locked: Path) -> None:
    assert list(locked.parent.iterdir()) == [locked]


@pytest.mark.parametrize("passphrase", ["", "x", "Testpassword", "testpassword "])
def test_a_wrong_passphrase_is_one_line(locked: Path, passphrase: str) -> None:
    with pytest.raises(InputError) as caught:
        load(locked, passphrase)
    assert str(caught.value) == f"the passphrase does not open {locked}"


def test_a_passphrase_may_be_any_text(tmp_path: Path) -> None:
    for number, passphrase in enumerate(["pässwörd ☂", " ", "0x00", "a" * 500]):
        made = create(tmp_path / f"{number}", passphrase, work=WORK_LIGHT)
        assert load(tmp_path / f"{number}", passphrase).address == made.address


def test_a_passphrase_that_is_no_text_is_refused(path: Path, locked: Path) -> None:
    with pytest.raises(InputError, match="no text in UTF-8"):
        create(path.with_name("other"), "\udc80", work=WORK_LIGHT)
    with pytest.raises(InputError, match="no text in UTF-8"):
        load(locked, "\udc80")


def test_an_empty_passphrase_makes_no_keystore(path: Path) -> None:
    with pytest.raises(InputError, match="an empty passphrase protects nothing"):
        create(path, "")
    assert not path.exists()


def test_no_file_is_ever_overwritten(locked: Path) -> None:
    before = locked.read_bytes()
    with pytest.raises(InputError, match="a key is never overwritten"):
        create(locked, PASSPHRASE)
    assert locked.read_bytes() == before


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(source: Path, target: Path) -> None:
        target.write_text("mallory was here")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(InputError, match="a key is never overwritten"):
        create(path, PASSPHRASE, work=WORK_LIGHT)
    assert path.read_text() == "mallory was here"
    assert list(path.parent.iterdir()) == [path]


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="a key is never overwritten"):
        create(link, PASSPHRASE, work=WORK_LIGHT)
    assert not (tmp_path / "elsewhere").exists()


def test_a_failed_write_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        create(path, PASSPHRASE, work=WORK_LIGHT)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "secret", [b"", bytes(32), bytes(31), SECRET + b"\0", b"\xff" * 32], ids=repr
)
def test_what_is_no_private_key_is_refused_without_being_shown(path: Path, secret: bytes) -> None:
    with pytest.raises(InputError) as caught:
        import_key(path, secret, PASSPHRASE)
    assert str(caught.value) == "a private key is 32 bytes, from 1 to the order of secp256k1"
    assert not path.exists()


def test_what_geth_and_wallets_add_is_left_aside(locked: Path) -> None:
    def gild(document: Any) -> None:
        document["Crypto"] = document.pop("crypto")
        document["x-ethers"] = {"client": "ethers.js"}
        document["address"] = "0x" + document["address"]

    assert load(changed(locked, gild), PASSPHRASE).address == ADDRESS


def test_a_false_address_is_found_out(locked: Path) -> None:
    changed(locked, lambda document: document.update(address="11" * 20))
    with pytest.raises(InputError, match=f"says that it holds 0x1111.*but holds {ADDRESS}"):
        load(locked, PASSPHRASE)


COSTLY: list[Change] = [
    lambda document: parameters(document).update(n=1 << 40),
    lambda document: parameters(document).update(n=1 << 22, r=1, p=1 << 10),
    lambda document: parameters(document).update(n=1 << 20, r=8),
    lambda document: parameters(document).update(n=1 << 21, r=4, p=1),
    lambda document: parameters(document).update(n=2, r=1 << 40),
    lambda document: parameters(document).update(p=1 << 40),
    lambda document: (
        document.update(crypto=json.loads(json.dumps(PBKDF2["crypto"])))
        or parameters(document).update(c=1 << 40)
    ),
]

BROKEN: list[Change] = [
    lambda document: parameters(document).update(n=3),
    lambda document: parameters(document).update(n=0),
    lambda document: parameters(document).update(n=-8),
    lambda document: parameters(document).update(n=4096.0),
    lambda document: parameters(document).update(n="4096"),
    lambda document: parameters(document).update(n=True),
    lambda document: parameters(document).update(dklen=1 << 31),
    lambda document: parameters(document).update(salt="zz"),
    lambda document: parameters(document).update(salt=""),
    lambda document: parameters(document).update(salt="00" * 1000),
    lambda document: parameters(document).pop("p"),
    lambda document: parameters(document).update(more=1),
    lambda document: document["crypto"].update(kdfparams=[]),
    lambda document: document["crypto"].update(kdf="argon2"),
    lambda document: document["crypto"].update(kdf=["scrypt"]),
    lambda document: document["crypto"].update(kdf="pbkdf2"),
    lambda document: document["crypto"].update(cipher="rot13"),
    lambda document: document["crypto"].update(ciphertext="00"),
    lambda document: document["crypto"].update(ciphertext="00" * 5000),
    lambda document: document["crypto"].update(mac=None),
    lambda document: document["crypto"]["cipherparams"].update(iv="00"),
    lambda document: document.pop("crypto"),
    lambda document: document.update(crypto="x"),
    lambda document: document.update(version=1),
    lambda document: document.update(version="3"),
    lambda document: document.update(address="0x12"),
]


@pytest.mark.parametrize("change", [*COSTLY, *BROKEN])
def test_a_hostile_file_is_refused_at_once_in_one_line(locked: Path, change: Change) -> None:
    changed(locked, change)
    began = time.perf_counter()
    with pytest.raises(InputError, match="is no keystore of version 3: ") as caught:
        load(locked, PASSPHRASE)
    assert time.perf_counter() - began < SECONDS_MAX
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError):
        address_of(locked)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 60_000, b'{"version":3}', b" " * (1 << 20)],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"is no keystore|it is not the right file"):
        load(file, PASSPHRASE)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        load(tmp_path / "missing", PASSPHRASE)
    with pytest.raises(InputError, match=r"cannot read .*: Is a directory"):
        address_of(tmp_path)


@pytest.mark.parametrize("wrong", [0, 5, 31])
def test_one_flipped_bit_of_the_ciphertext_never_gives_another_key(
    locked: Path, wrong: int
) -> None:
    def flip(document: Any) -> None:
        text = bytearray.fromhex(document["crypto"]["ciphertext"])
        text[wrong] ^= 1
        document["crypto"]["ciphertext"] = text.hex()

    with pytest.raises(InputError, match="the passphrase does not open"):
        load(changed(locked, flip), PASSPHRASE)


def test_no_byte_of_a_key_or_passphrase_is_shown_anywhere(
    locked: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    key = load(locked, PASSPHRASE)
    shown = [repr(key), str(key), f"{key}", repr([key])]
    for attempt in (
        lambda: load(locked, PASSPHRASE + "!"),
        lambda: import_key(locked, SECRET, PASSPHRASE),
        lambda: import_key(locked.parent / "no" / "\0", SECRET, PASSPHRASE),
        lambda: key.__reduce__(),
    ):
        try:
            attempt()
        except (InputError, TypeError, ValueError) as error:
            shown.append("".join(traceback.format_exception(error)))
    written, said = capfd.readouterr()
    everything = " ".join([*shown, caplog.text, written, said, locked.read_text()]).lower()
    assert len(shown) == 8
    for part in (SECRET.hex(), SECRET.hex()[:16], SECRET.hex()[-16:], str(list(SECRET))[1:20]):
        assert part not in everything
    assert repr(SECRET).lower() not in everything
    assert PASSPHRASE not in " ".join([caplog.text, written, said, locked.read_text()])


def test_what_opens_and_is_no_key_is_refused_like_a_wrong_passphrase(tmp_path: Path) -> None:
    document = json.loads(json.dumps(PBKDF2))
    crypto, salt = document["crypto"], bytes.fromhex(document["crypto"]["kdfparams"]["salt"])
    crypto["kdfparams"]["c"] = 1
    derived = pbkdf2_hmac("sha256", PASSPHRASE.encode(), salt, 1, 32)
    start = bytes.fromhex(crypto["cipherparams"]["iv"])
    cipher = AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=start)
    crypto["ciphertext"] = cipher.encrypt(b"\xff" * 32).hex()
    crypto["mac"] = keccak(derived[16:] + bytes.fromhex(crypto["ciphertext"])).hex()
    file = tmp_path / "vector.json"
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="the passphrase does not open"):
        load(file, PASSPHRASE)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\nmore\n", "secret"),
        (b" two words \nx", " two words "),
        ("schlüssel\n".encode(), "schlüssel"),
        (b"\nsecond", ""),
    ],
)
def test_the_first_line_of_a_file_is_the_passphrase(
    tmp_path: Path, content: bytes, found: str
) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    assert read_passphrase(file) == found


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 2_000])
def test_what_is_no_passphrase_is_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_passphrase(file)
    assert "is no passphrase" in str(caught.value)
    assert "xxx" not in str(caught.value)
    with pytest.raises(InputError, match="cannot read"):
        read_passphrase(tmp_path / "missing")


def test_the_key_that_comes_back_signs(locked: Path) -> None:
    assert load(locked, PASSPHRASE).sign(bytes(32)) == Key(SECRET).sign(bytes(32))
