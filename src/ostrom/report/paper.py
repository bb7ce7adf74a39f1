"""What the reproduced paper reports, and its citation."""

from __future__ import annotations

CITATION = (
    "Satish, Meduri, Nadella and Gonaygunta, “Developing a Decentralized AI Model Training "
    "Framework Using Blockchain Technology” (International Meridian Journal, 2022)"
)

DATASET = "mnist"

TEST_ACCURACY = 0.098
"""The global model on the test set, after the last round (section 5)."""

DEV_ACCURACY = 0.101
DEV_LOSS = 2.3022
"""The global model on the development set, the same in every round (section 5)."""

CLIENT_ACCURACY = (
    0.9128, 0.9114, 0.9106, 0.9106, 0.9114, 0.9114, 0.9098, 0.9106, 0.9114, 0.9106,
)  # fmt: skip
CLIENT_LOSS = (
    0.3221, 0.3875, 0.3863, 0.3849, 0.3875, 0.3847, 0.3904, 0.3961, 0.3823, 0.3878,
)  # fmt: skip
"""The clients' models on their own data, rounds 1 to 10 (table 3)."""

ROUNDS = len(CLIENT_ACCURACY)
