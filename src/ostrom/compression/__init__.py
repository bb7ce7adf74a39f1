"""Fewer bytes for an update, and the same integers for everybody who unpacks it.

A compression packs an update of a fixed layout into a fixed number of int32 words. The trainer may
round as it likes; decoding is integer arithmetic, so aggregation of decoded updates stays exact.
"""

from __future__ import annotations

from ostrom.compression.catalogue import COMPRESSIONS, compression
from ostrom.compression.codec import Codec, Compression, Feedback, Layout, State

__all__ = [
    "COMPRESSIONS",
    "Codec",
    "Compression",
    "Feedback",
    "Layout",
    "State",
    "compression",
]
