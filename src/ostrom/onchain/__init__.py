"""The coupled mode: models that live and learn in a contract.

`models` is the reference of every model in exact integers, `features` the bytes that a contribution
carries, `encoders` what makes them of text and numbers, `data` the tasks that it is measured on.
Each agrees with the contract of its name in every bit.

Justin D. Harris and Bo Waggoner: Decentralized & Collaborative AI on Blockchain (2019),
https://arxiv.org/abs/1907.07247.
"""

from __future__ import annotations
