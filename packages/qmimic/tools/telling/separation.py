"""Whether two sets of rows can be told apart: by classifiers, and feature by feature.

Needs scikit-learn, which nothing else does: the environment `telltale` brings it.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

FOLDS: Final = 5
#: What a feature is where it cannot be: a frame that is not there, a field that is not sent.
ABSENT: Final = -2.0
#: Words of a feature that get a column of their own; the others share one.
WORDS: Final = 20

Row = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers: `values[row, column]`, and what the columns are."""

    values: Any
    titles: list[str]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A feature that differs: its p-value by itself and corrected for how many were tested, and what both sides show."""

    title: str
    p: float
    corrected: float
    real: str
    drawn: str


@dataclass(frozen=True, slots=True)
class Chance:
    """What chance alone gives between two sides of these sizes.

    Attributes:
        areas: the best AUC of each shuffle, the smallest first.
    """

    areas: tuple[float, ...]

    @property
    def floor(self) -> float:
        """The AUC that nineteen shuffles in twenty stay below; the largest of fewer than that."""
        return self.areas[min(len(self.areas) - 1, int(0.95 * len(self.areas)))]

    def p(self, best: float) -> float:
        """How likely an AUC of at least `best` is by chance; never below 1 / (shuffles + 1)."""
        return (1 + sum(area >= best for area in self.areas)) / (1 + len(self.areas))


@dataclass(frozen=True, slots=True)
class Separation:
    """What was found.

    Attributes:
        areas: AUC by classifier.
        suspects: features, the most different first.
        chance: what mixed rows give; None where it was not asked for.
    """

    real: int
    drawn: int
    features: int
    areas: dict[str, float]
    suspects: list[Suspect] = field(default_factory=list)
    chance: Chance | None = None

    @property
    def best(self) -> float:
        return max(self.areas.values())

    @property
    def smallest_p(self) -> float:
        return min((suspect.corrected for suspect in self.suspects), default=1.0)


def separate(
    real: Sequence[Row],
    drawn: Sequence[Row],
    seed: int,
    shuffles: int = 0,
    progress: Callable[[], None] = lambda: None,
    *,
    is_paired: bool = False,
) -> Separation:
    """Try everything, then as many shuffles. `progress` is called after each classifier and after the tests.

    Args:
        is_paired: row i of `drawn` was made like row i, modulo their number, of `real`. Such rows are learned from
            together or not at all, or else what they share by their making would hide what tells them apart; and they are
            mixed among themselves.
    """
    table = tabulate([*real, *drawn])
    split = len(real)
    groups = numpy.arange(len(table.values)) % split if is_paired else None
    areas = classify_rows(table.values, numpy.arange(len(table.values)) >= split, seed, progress, groups)
    found = suspects(table, split)
    progress()
    chance = None
    if shuffles:
        chance = shuffled(table.values[:split], table.values[split:], shuffles, seed, progress, groups)
    return Separation(split, len(drawn), len(table.titles), areas, found, chance)


def tabulate(rows: Sequence[Row]) -> Table:
    """Numbers as they are, a column for each frequent word, no column that says nothing."""
    columns: dict[str, Any] = {}
    for name in sorted({name for row in rows for name in row}):
        cells = [row.get(name) for row in rows]
        if any(isinstance(cell, str) for cell in cells):
            tally = Counter(cell for cell in cells if cell is not None)
            for word, _ in tally.most_common(WORDS):
                columns[f"{name} = {str(word)[:60]}"] = [float(cell == word) for cell in cells]
        else:
            columns[name] = [ABSENT if cell is None else float(cell) for cell in cells]
    varying = {name: column for name, column in columns.items() if min(column) < max(column)}
    titles: list[str] = []
    kept: dict[tuple[float, ...], str] = {}
    for name, column in varying.items():
        if tuple(column) not in kept:
            kept[tuple(column)] = name
            titles.append(name)
    return Table(numpy.array(list(kept)).T, titles)


def classify_rows(
    values: Any,
    labels: Any,
    seed: int,
    progress: Callable[[], None] = lambda: None,
    groups: Any = None,
) -> dict[str, float]:
    """AUC of each classifier, cross-validated.

    Args:
        labels: which side each row is of.
        groups: numbers of rows that are to stay together.
    """
    areas: dict[str, float] = {}
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    for title, model in models(seed).items():
        folds = kind(FOLDS, shuffle=True, random_state=seed)
        # Threads that wait for each other by spinning are the slower the busier the machine is.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # solvers that do not converge on noise complain
            chances = cross_val_predict(
                model, values, labels, groups=groups, cv=folds, method="predict_proba"
            )[:, 1]
        areas[title] = float(roc_auc_score(labels, chances))
        progress()
    return areas


def shuffled(
    one: Any,
    other: Any,
    shuffles: int,
    seed: int,
    progress: Callable[[], None] = lambda: None,
    groups: Any = None,
) -> Chance:
    """The best AUC of the classifiers between two matrices whose rows have been mixed: there is nothing to tell apart.

    Args:
        one, other: `[row, column]`, the same columns in both.
        progress: called after each classifier of each shuffle.
        groups: as of `classify_rows`; only rows of one group are mixed.
    """
    values = numpy.vstack([one, other])
    labels = numpy.arange(len(values)) >= len(one)
    random = numpy.random.default_rng(seed)
    areas = []
    for number in range(shuffles):
        mixed = labels.copy()
        for group in (0,) if groups is None else numpy.unique(groups):
            chosen = slice(None) if groups is None else groups == group
            mixed[chosen] = random.permutation(labels[chosen])
        found = classify_rows(values, mixed, seed + number, progress, groups)
        areas.append(max(found.values()))
    return Chance(tuple(sorted(areas)))


def models(seed: int) -> dict[str, Any]:
    """The classifiers."""
    return {
        "random forest": RandomForestClassifier(300, min_samples_leaf=2, random_state=seed),
        "boosted trees": HistGradientBoostingClassifier(
            max_iter=100, max_leaf_nodes=8, max_features=0.2, random_state=seed
        ),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)),
    }


def suspects(table: Table, split: int, shown: int = 8) -> list[Suspect]:
    """The features that differ most; p-values of the stricter of two tests, corrected (Bonferroni)."""
    found: list[tuple[float, int]] = []
    for index in range(len(table.titles)):
        one, other = table.values[:split, index], table.values[split:, index]
        found.append((p_value(one, other), index))
    found.sort()
    return [
        Suspect(
            table.titles[index],
            p,
            min(1.0, p * len(found)),
            outline(table.values[:split, index]),
            outline(table.values[split:, index]),
        )
        for p, index in found[:shown]
    ]


def p_value(one: Any, other: Any) -> float:
    """For two values Fisher's exact test, else Kolmogorov and Smirnov's or Mann and Whitney's, twice the smaller."""
    high = max(one.max(), other.max())
    if len(set(one) | set(other)) == 2:
        a, b = int((one == high).sum()), int((other == high).sum())
        return float(stats.fisher_exact([[a, len(one) - a], [b, len(other) - b]])[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ties make the exact methods fall back
        by_shape = float(stats.ks_2samp(one, other, method="asymp").pvalue)
        by_rank = float(stats.mannwhitneyu(one, other, method="asymptotic").pvalue)
    return min(1.0, 2 * min(by_shape, by_rank))


def outline(sample: Any) -> str:
    """Mean, and the bounds."""
    return f"{sample.mean():.4g} ({sample.min():g} to {sample.max():g})"
