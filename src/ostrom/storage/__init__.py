"""Bytes by their content identifier: CIDs as Kubo makes them, and stores that verify every read.

What needs the extra `node` is imported by its own name: `ostrom.storage.gateway` (serve a store),
`ostrom.storage.http` (read from gateways), `ostrom.storage.kubo` (a store in a Kubo node).

>>> store = MemoryStore()
>>> cid = store.put(b"hello")
>>> cid == cid_of(b"hello") == cid_from_digest(digest_of(cid))
True
>>> store.get(cid, max_bytes=1_000)
b'hello'
"""

from __future__ import annotations

from ostrom.storage.car import decode_car, encode_car, load_car
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
from ostrom.storage.peers import PeerStore
from ostrom.storage.pins import Pins
from ostrom.storage.replication import Replicator, holders
from ostrom.storage.store import Store

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "Codec",
    "DirectoryStore",
    "MemoryStore",
    "PeerStore",
    "Pins",
    "Profile",
    "Replicator",
    "Store",
    "cid_from_bytes",
    "cid_from_digest",
    "cid_of",
    "cid_to_bytes",
    "codec_for",
    "codec_of",
    "decode_car",
    "digest_of",
    "encode_car",
    "holders",
    "is_cid",
    "load_car",
    "parse_cid",
]
