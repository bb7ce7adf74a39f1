"""Aggregation rules: (n, d), (n,), state -> (d,), state, in exact integers.

| rule | threat it answers | what it does not | few updates |
|---|---|---|---|
| mean(weights) | none: one update can move it anywhere | | any n |
| sum | none; for statistics that add up | | any n |
| median | fewer than half hostile, coordinate by coordinate | ALIE, label skew | any n |
| trimmed_mean(f) | at most f hostile, coordinate by coordinate | ALIE | f <= (n - 1) // 2 |
| mean_around_median(f) | the same; values far from the middle | ALIE | f <= (n - 1) // 2 |
| krum(f), multi_krum(f, m) | at most f far from the rest | ALIE | f <= (n - 3) // 2, m <= n - f |
| bulyan(f) | the same, and one coordinate hidden in many | label skew | f <= (n - 3) // 4 |
| mda(f) | at most f far from the rest | ALIE | f <= (n - 1) // 2 |
| smea(f) | at most f that agree in a direction | attacks within the spread | f <= (n - 1) // 2 |
| geometric_median(iterations, nu) | fewer than half hostile, whole updates | ALIE | any n |
| centred_clipping(c, iterations) | the same over many rounds: it remembers | a wrong c | any n |

Where the last column bounds f or m, a round with fewer updates uses the bound (at least 0 or 1)
instead, so that a small round is settled rather than stopped. All rules but `sum` first hold values
inside int32; deltas are int64. All but `mean` ignore the weights.
"""

from __future__ import annotations

from collections.abc import Callable

from ostrom.aggregation.averages import mean, mean_omission, total, total_omission
from ostrom.aggregation.centres import centred_clipping, geometric_median
from ostrom.aggregation.coordinates import (
    mean_around_median,
    median,
    median_omission,
    trimmed_mean,
    trimmed_mean_omission,
)
from ostrom.aggregation.distances import (
    bulyan,
    krum,
    krum_omission,
    mda,
    multi_krum,
    multi_krum_omission,
)
from ostrom.aggregation.kinds import Omission, Rule, State, StatefulRule
from ostrom.aggregation.spectral import smea

__all__ = ["OMISSIONS", "RULES", "Omission", "Rule", "State", "StatefulRule"]

RULES: dict[str, Callable[..., Rule]] = {
    "mean": mean,
    "sum": total,
    "median": median,
    "trimmed_mean": trimmed_mean,
    "mean_around_median": mean_around_median,
    "krum": krum,
    "multi_krum": multi_krum,
    "bulyan": bulyan,
    "mda": mda,
    "smea": smea,
    "geometric_median": geometric_median,
    "centred_clipping": centred_clipping,
}

OMISSIONS: dict[str, Callable[..., Omission]] = {
    "mean": mean_omission,
    "sum": total_omission,
    "median": median_omission,
    "trimmed_mean": trimmed_mean_omission,
    "krum": krum_omission,
    "multi_krum": multi_krum_omission,
}
"""Rules that can leave each row out faster than by computing n times."""
