"""Bytes by their content identifier: CIDs as Kubo makes them, and stores that verify every read.

>>> store = MemoryStore()
>>> cid = store.put(b"hello")
>>> cid == cid_of(b"hello") == cid_from_digest(digest_of(cid))
True
>>> store.get(cid, max_bytes=1_000)
b'hello'
"""

from __future__ import annotations

from ostrom.storage.cid import (
    Codec,
    cid_from_bytes,
    cid_from_digest,
    cid_to_bytes,
    codec_of,
    digest_of,
    is_cid,
    parse_cid,
)
from ostrom.storage.dag import DEFAULT_PROFILE, PROFILES, Profile, cid_of, codec_for
from ostrom.storage.directory import DirectoryStore
from ostrom.storage.memory import MemoryStore
from ostrom.storage.store import Store

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "Codec",
    "DirectoryStore",
    "MemoryStore",
    "Profile",
    "Store",
    "cid_from_bytes",
    "cid_from_digest",
    "cid_of",
    "cid_to_bytes",
    "codec_for",
    "codec_of",
    "digest_of",
    "is_cid",
    "parse_cid",
]
