"""Data sets, and how they are dealt among trainers. Nothing here imports torch.

`load_dataset` reads one, `split` cuts it into the parts of the paper's protocol (80/10/10),
`deal` gives every trainer a share with its own skew.
"""

from __future__ import annotations

from ostrom.data.datasets import Dataset, Share, Source, Split, deal, split
from ostrom.data.loading import load_dataset, read_image
from ostrom.data.partitions import PARTITIONS, mirror, partition

__all__ = [
    "PARTITIONS",
    "Dataset",
    "Share",
    "Source",
    "Split",
    "deal",
    "load_dataset",
    "mirror",
    "partition",
    "read_image",
    "split",
]
