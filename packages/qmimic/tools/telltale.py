"""How well drawn flights can be told from captured ones: classifiers, and a test of each feature.

    python packages/qmimic/tools/telltale.py CAPTURE PROFILE [CAPTURE PROFILE ...]

PROFILE is a name, a TOML file, or `learn`, which learns from one half of the capture and is tested on the other. A
random forest, boosted trees and logistic regression are cross-validated over features of layout, headers, ClientHello
and transport parameters; an AUC of 0.5 is a coin. Exit status 1 if one exceeds `--auc`, or a feature differs with a
corrected p below `--level`. Needs scikit-learn, which nothing else here does.
"""

import argparse
import sys
import warnings
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

# Neither is a dependency; whoever runs this installs scikit-learn, which brings numpy.
import numpy  # type: ignore[import-not-found,unused-ignore] # see above
from sklearn.ensemble import (  # type: ignore[import-untyped,import-not-found,unused-ignore] # see above
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import (  # type: ignore[import-untyped,import-not-found,unused-ignore] # see above
    LogisticRegression,
)
from sklearn.metrics import (  # type: ignore[import-untyped,import-not-found,unused-ignore] # see above
    roc_auc_score,
)
from sklearn.model_selection import (  # type: ignore[import-untyped,import-not-found,unused-ignore] # see above
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import (  # type: ignore[import-untyped,import-not-found,unused-ignore] # see above
    make_pipeline,
)
from sklearn.preprocessing import (  # type: ignore[import-untyped,import-not-found,unused-ignore] # see above
    StandardScaler,
)

from qmimic import learn
from qmimic.capture import CapturedFlow, read_capture
from qmimic.catalog import profile
from qmimic.draw import draw_flows
from qmimic.observation import Observed, numbers, observe, orders, values
from qmimic.profile import ClientProfile
from qmimic.statistics import kolmogorov_smirnov_p

FOLDS: Final = 5
FEWEST: Final = FOLDS  # connections a side, below which nothing can be cross-validated
#: Hashes repeat what other features say.
NOT_A_FEATURE: Final = ("hash.",)


def main() -> int:
    """Run every pair and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", metavar="CAPTURE PROFILE")
    parser.add_argument("--count", type=int, default=300, help="flights drawn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--resumed", action="store_true", help="compare resumed connections instead of fresh ones"
    )
    parser.add_argument("--auc", type=float, default=0.60)
    parser.add_argument("--level", type=float, default=0.01)
    options = parser.parse_args()
    if len(options.pairs) % 2:
        parser.error("captures and profiles come in pairs")
    passed = True
    for capture, name in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        passed = compare(Path(capture), name, options) and passed
    return 0 if passed else 1


def compare(capture: Path, name: str, options: argparse.Namespace) -> bool:
    """One capture against one profile; whether it passes."""
    flows = read_capture(capture)
    chosen, flows = load(name, flows)
    real = [item for item in observe(flows) if item.is_resumed == options.resumed]
    if len(real) < FEWEST:
        print(f"{capture.name}: {len(real)} connections are too few")
        return False
    names = [item.fingerprint.server_name or "localhost" for item in real]
    drawn = observe(
        draw_flows(
            chosen,
            seed=options.seed,
            count=options.count,
            server_names=names,
            family=6 if real[0].family == 6 else 4,
            resumed=options.resumed,
        )
    )
    table, titles = features([*real, *drawn])
    labels = numpy.array([0] * len(real) + [1] * len(drawn))
    print(
        f"{chosen.name} against {capture.name}: {len(real)} captured, {len(drawn)} drawn, {len(titles)} features"
    )
    best = 0.0
    for title, model in models(options.seed):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=options.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constant columns make the solvers complain
            chances = cross_val_predict(model, table, labels, cv=folds, method="predict_proba")[:, 1]
        area = roc_auc_score(labels, chances)
        best = max(best, area)
        print(f"  AUC {area:.3f}  {title}")
    found = suspicious(table, titles, len(real))
    worst = found[0][0] if found else 1.0
    for corrected, title in found[:5]:
        print(f"  p {corrected:.3g} (corrected)  {title}")
    passed = best <= options.auc and worst >= options.level
    # What an AUC of 0.5 strays by chance (Mann and Whitney), for the reader: the bar stays where it is.
    noise = ((len(real) + len(drawn) + 1) / (12 * len(real) * len(drawn))) ** 0.5
    print(
        f"  {'passes' if passed else 'FAILS'}: best AUC {best:.3f} (chance strays by {noise:.3f}), smallest p {worst:.3g}"
    )
    return bool(passed)


def load(name: str, flows: list[CapturedFlow]) -> tuple[ClientProfile, list[CapturedFlow]]:
    """The profile, and the flows to test it on."""
    if name == "learn":
        return learn(flows[::2]), flows[1::2]
    if name.endswith(".toml"):
        return ClientProfile.from_toml(Path(name).read_text(encoding="utf-8")), flows
    return profile(name), flows


def models(seed: int) -> list[tuple[str, Any]]:
    """The three classifiers."""
    return [
        ("random forest", RandomForestClassifier(300, min_samples_leaf=2, random_state=seed)),
        ("boosted trees", HistGradientBoostingClassifier(max_iter=120, random_state=seed)),
        ("logistic regression", make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))),
    ]


def features(items: Sequence[Observed]) -> tuple[Any, list[str]]:
    """A table with a row a flight: numbers as they are, values one column each, places in orders."""
    rows: list[dict[str, float]] = []
    for item in items:
        row = dict(numbers(item))
        for name, value in values(item).items():
            if not name.startswith(NOT_A_FEATURE):
                row[f"{name} = {shown(value)}"] = 1.0
                if isinstance(value, int):
                    row[name] = float(value)
        for name, order in orders(item).items():
            for place, entry in enumerate(order):
                row[f"{name}: place of {entry}"] = float(place)
        rows.append(row)
    titles = sorted({name for row in rows for name in row})
    table = numpy.array([[row.get(title, 0.0) for title in titles] for row in rows])
    varying = [index for index in range(len(titles)) if len(set(table[:, index])) > 1]
    return table[:, varying], [titles[index] for index in varying]


def shown(value: Hashable) -> str:
    return str(value)[:60]


def suspicious(table: Any, titles: Sequence[str], split: int) -> list[tuple[float, str]]:
    """Corrected p-values (Bonferroni) of the features, smallest first."""
    tested = [
        (min(1.0, kolmogorov_smirnov_p(table[:split, index], table[split:, index]) * len(titles)), title)
        for index, title in enumerate(titles)
    ]
    return sorted(tested)


if __name__ == "__main__":
    sys.exit(main())
