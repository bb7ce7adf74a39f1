"""The coupled mode's models beside scikit-learn's, on the same order of the same features.

`python -m benchmarks.onchain_models` prints the table. One pass: the warm start, then every
contribution once; five seeds, each with its own test part, warm start and order.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import Perceptron, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import NearestCentroid

from benchmarks.results import Result, table
from ostrom.onchain.data import Sample, Stream, accuracy, learn_all, load_stream
from ostrom.onchain.encoders import Hashing
from ostrom.onchain.features import decode_counts, decode_row, decode_tokens
from ostrom.onchain.models import KMeans, k_means, model, naive_bayes, sparse_perceptron
from ostrom.onchain.models.distances import SumsState

SEEDS = range(5)
COMMAND = "python -m benchmarks.onchain_models"
CLUSTERS = 20
WORD_WEIGHTS = 32
HEADER_WEIGHTS = 8
"""A word holds 32 weights of 8 bits, and the first one the header in the place of 8."""

Matrix = npt.NDArray[np.float64]


def _averaged() -> SGDClassifier:
    return SGDClassifier(
        loss="perceptron", learning_rate="constant", eta0=1.0, penalty=None, average=True,
        max_iter=1, tol=None, shuffle=False,
    )  # fmt: skip


def _plain() -> Perceptron:
    return Perceptron(max_iter=1, tol=None, shuffle=False)


PAIRS: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
    ("passages", "sparse_perceptron", "Perceptron", _plain),
    ("passages", "sparse_perceptron(averaged=1)", "SGDClassifier(average)", _averaged),
    ("passages", "sparse_centroid", "NearestCentroid", NearestCentroid),
    ("passages(counted=1)", "naive_bayes", "MultinomialNB", MultinomialNB),
    ("digits", "dense_perceptron", "Perceptron", _plain),
    ("digits", "dense_perceptron(averaged=1)", "SGDClassifier(average)", _averaged),
    ("digits", "centroid", "NearestCentroid", NearestCentroid),
    ("breast_cancer", "dense_perceptron", "Perceptron", _plain),
    ("breast_cancer", "dense_perceptron(averaged=1)", "SGDClassifier(average)", _averaged),
    ("breast_cancer", "centroid", "NearestCentroid", NearestCentroid),
)
"""Task, our model, scikit-learn's name for the algorithm, and what makes it."""


def measure() -> Iterable[Result]:
    """Everything, some ten seconds."""
    for task, name, other, make in PAIRS:
        yield compare(task, name, other, make)
    yield same_labels()
    yield from clusters()
    yield from saturation()
    yield from words_touched()
    yield speed()


def compare(task: str, name: str, other: str, make: Callable[[], Any]) -> Result:
    """Accuracy after all contributions; the goal is at most a point below scikit-learn."""
    ours, theirs = [], []
    for seed in SEEDS:
        stream = load_stream(task, seed=seed)
        ours.append(trained_accuracy(name, stream))
        samples = stream.warm + stream.arrivals
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a feature without spread in some class
            fitted = make().fit(real(stream, samples), labels(samples))
        theirs.append(100 * fitted.score(real(stream, stream.test), labels(stream.test)))
    mean = statistics.fmean(theirs)
    return Result(
        f"On-chain `{name}`, {task}: accuracy",
        statistics.fmean(ours),
        "%",
        mean - 1,
        f"{mean:.1f} % scikit-learn's {other}, same order",
        "higher",
        COMMAND,
        tuple(ours),
        f"{len(stream.warm)} warm, {len(stream.arrivals)} contributions, "
        f"{len(stream.test)} to test, {stream.features} features, {stream.classes} classes",
    )


def same_labels() -> Result:
    """How often naive Bayes' label is scikit-learn's, over test parts and contributions."""
    same: list[bool] = []
    for seed in SEEDS:
        stream = load_stream("passages(counted=1,limit=0)", seed=seed)
        rule, samples = naive_bayes(), stream.warm + stream.arrivals
        state = learn_all(rule, rule.start(2, stream.features), samples)
        every = samples + stream.test
        fitted = MultinomialNB().fit(matrix(stream, samples), labels(samples))
        theirs = fitted.predict(matrix(stream, every))
        same += [rule.predict(state, one.x) == label for one, label in zip(every, theirs)]
    return Result(
        "On-chain `naive_bayes`, passages: same label as scikit-learn's",
        100 * statistics.fmean(same), "%", 99.9, "MultinomialNB", "higher", COMMAND,
        setting=f"{len(same):,} samples, five seeds",
    )  # fmt: skip


def clusters() -> Iterable[Result]:
    """k-means on digits: the same clusters as in floats, and how tight they are."""
    same: list[bool] = []
    ours, theirs, refused, refused_honest = [], [], [], []
    for seed in SEEDS:
        stream = load_stream("digits", seed=seed)
        samples = stream.warm + stream.arrivals
        start, rows = np.split(matrix(stream, samples), [CLUSTERS])
        rule = k_means()
        state, found = rule.at(start.astype(np.int64)), []
        for sample in samples[CLUSTERS:]:
            state, memo = rule.learn(state, sample.x, 0)
            found.append((memo & 255) - 1)
        same += [a == b for a, b in zip(found, macqueen(start, rows))]
        test = matrix(stream, stream.test)
        ours.append(spread(test, state.sums / state.counts[:, None]))
        other = MiniBatchKMeans(CLUSTERS, init=start, n_init=1)
        for at in range(0, len(rows) - CLUSTERS, CLUSTERS):
            other.partial_fit(rows[at : at + CLUSTERS])
        theirs.append(spread(test, other.cluster_centers_))
        noise = np.random.default_rng(seed).integers(-2_047, 2_048, test.shape).astype(">i2")
        refused.append(not_agreed(rule, state, [row.tobytes() for row in noise]))
        refused_honest.append(not_agreed(rule, state, [one.x for one in stream.test]))
    fewer = statistics.fmean(a / b for a, b in zip(ours, theirs))
    yield Result(
        "On-chain `k_means`, digits: same cluster as MacQueen's in floats",
        100 * statistics.fmean(same), "%", 99.9, "", "higher", COMMAND,
        setting=f"{CLUSTERS} clusters, every contribution when it arrives, five seeds",
    )  # fmt: skip
    yield Result(
        "On-chain `k_means`, digits: squared distances over scikit-learn's",
        fewer, "x", 1.01, f"MiniBatchKMeans, {CLUSTERS} rows a batch", "lower", COMMAND,
        setting="test parts, five seeds",
    )  # fmt: skip
    yield Result(
        "On-chain `k_means`, digits: rows of noise that are outliers",
        statistics.fmean(refused), "%", 99.0,
        f"{statistics.fmean(refused_honest):.1f} % of honest rows are", "higher", COMMAND,
        setting="evenly random rows; outlier above four times the mean distance, five seeds",
    )  # fmt: skip


def not_agreed(rule: KMeans, state: SumsState, rows: Sequence[bytes]) -> float:
    """The share of rows that the model does not agree with, in per cent."""
    return 100 * statistics.fmean(not rule.agrees(state, row, 0, 0) for row in rows)


def macqueen(start: Matrix, rows: Matrix) -> list[int]:
    """Online k-means in floats: the cluster of each row when it arrives."""
    centres, counts, found = start.copy(), np.ones(len(start)), []
    for row in rows:
        near = int(np.square(centres - row).sum(axis=1).argmin())
        counts[near] += 1
        centres[near] += (row - centres[near]) / counts[near]
        found.append(near)
    return found


def spread(rows: Matrix, centres: Matrix) -> float:
    """The mean squared distance of rows to their nearest centres."""
    squares = np.square(rows[:, None] - centres[None]).sum(axis=2)
    return float(squares.min(axis=1).mean())


def saturation() -> Iterable[Result]:
    """What weights of 8 bits lose against 32."""
    for name in ("sparse_perceptron", "sparse_perceptron(averaged=1)"):
        lost, most = [], 0
        for seed in SEEDS:
            stream = load_stream("passages", seed=seed)
            wide = name.replace("averaged=1", "averaged=1,bits=32") if "(" in name else (
                "sparse_perceptron(bits=32)")  # fmt: skip
            rule = model(wide)
            state = learn_all(rule, rule.start(2, stream.features), stream.warm + stream.arrivals)
            most = max(most, int(np.abs(state.weights[:, 1:]).max()))
            lost.append(accuracy(rule, state, stream.test) - trained_accuracy(name, stream))
        yield Result(
            f"On-chain `{name}`, passages: accuracy lost by 8 bits a weight",
            statistics.fmean(lost), "points", 1.0, "32 bits a weight", "lower", COMMAND,
            tuple(lost), f"the largest of 1,000 weights is {most}, 8 bits hold 127",
        )  # fmt: skip


def words_touched() -> Iterable[Result]:
    """How many words of storage a contribution's weights lie in."""
    stream = load_stream("passages", seed=0)
    full = [decode_tokens(one.x, stream.features) for one in stream.arrivals if len(one.x) == 40]
    hashing = Hashing(stream.features)
    mixed = [decode_tokens(hashing.encode(f"w{' w'.join(map(str, one))}"), 1_000) for one in full]
    orders = {"frequency": full, "hashing": mixed}
    for order, contributions in orders.items():
        counts = [len(set(((one + HEADER_WEIGHTS) // WORD_WEIGHTS).tolist()) | {0})
                  for one in contributions]  # fmt: skip
        mean, tenth = statistics.fmean(counts), statistics.quantiles(counts, n=10)[-1]
        yield Result(
            f"On-chain, 20 tokens in {order} order: words of 32 weights, median",
            statistics.median(counts), "words", None, "", "lower", COMMAND,
            setting=f"mean {mean:.1f}, nine tenths up to {tenth:.0f}, most {max(counts)}; "
            f"{len(counts)} contributions of passages, 1,000 weights, the bias' word counted",
        )  # fmt: skip


def speed() -> Result:
    """10,000 contributions to 1,000 weights in the reference."""
    stream, rule = load_stream("passages", seed=0), sparse_perceptron()
    samples = (stream.arrivals * 10)[:10_000]
    begin = perf_counter()
    state = rule.start(2, stream.features)
    for sample in samples:
        state, memo = rule.learn(state, sample.x, sample.label)
        rule.agrees(state, sample.x, sample.label, memo)
    return Result(
        "On-chain reference: 10,000 contributions learnt and judged",
        perf_counter() - begin, "s", 5.0, "", "lower", COMMAND,
        setting="`sparse_perceptron`, 1,000 weights",
    )  # fmt: skip


def trained_accuracy(name: str, stream: Stream) -> float:
    """Accuracy on the test part after the warm start and all contributions."""
    rule = model(name)
    state = rule.start(stream.classes, stream.features)
    state = learn_all(rule, state, stream.warm + stream.arrivals)
    return accuracy(rule, state, stream.test)


def matrix(stream: Stream, samples: Sequence[Sample]) -> Matrix:
    """The encoded samples as floats (n, features)."""
    rows = np.zeros((len(samples), stream.features))
    for row, sample in zip(rows, samples):
        if stream.name != "passages":
            row[:] = decode_row(sample.x, stream.features)
        elif getattr(stream.encoder, "counted", False):
            tokens, counts = decode_counts(sample.x, stream.features)
            row[tokens] = counts
        else:
            row[decode_tokens(sample.x, stream.features)] = 1
    return rows


def real(stream: Stream, samples: Sequence[Sample]) -> Matrix:
    """The encoded samples in their own unit, so that a bias moves by 1."""
    return matrix(stream, samples) / getattr(stream.encoder, "scale", 1)


def labels(samples: Sequence[Sample]) -> npt.NDArray[np.int64]:
    """The samples' labels."""
    return np.array([sample.label for sample in samples])


if __name__ == "__main__":
    print(table(measure()))
