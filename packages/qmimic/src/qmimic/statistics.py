"""Tests of whether two samples come from one source, without a dependency.

Two-sample Kolmogorov–Smirnov for numbers, Fisher's exact test for how often a value was seen.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable

#: Beyond it the series of the Kolmogorov distribution has converged.
TERMS = 100
#: Below it the distribution's upper tail is 1 to all digits, and its series slow.
NEGLIGIBLE = 0.2


def kolmogorov_smirnov_p(one: Iterable[float], other: Iterable[float]) -> float:
    """Asymptotic p-value of the two-sample test; too large for discrete values, never too small."""
    a, b = sorted(one), sorted(other)
    distance = max(
        abs(bisect_right(a, value) / len(a) - bisect_right(b, value) / len(b)) for value in {*a, *b}
    )
    size = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    scaled = (size + 0.12 + 0.11 / size) * distance
    if scaled < NEGLIGIBLE:
        return 1.0
    terms = (math.cos(math.pi * (k - 1)) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, TERMS + 1))
    return min(1.0, max(0.0, 2 * sum(terms)))


def fisher_p(seen: int, total: int, other_seen: int, other_total: int) -> float:
    """Two-sided p-value for `seen` of `total` against `other_seen` of `other_total`."""
    both = seen + other_seen
    population = total + other_total

    def logarithm(count: int) -> float:
        return (
            log_binomial(total, count)
            + log_binomial(other_total, both - count)
            - log_binomial(population, both)
        )

    observed = logarithm(seen)
    low, high = max(0, both - other_total), min(both, total)
    tail = sum(math.exp(value) for k in range(low, high + 1) if (value := logarithm(k)) <= observed + 1e-9)
    return min(1.0, tail)


def log_binomial(total: int, count: int) -> float:
    """Natural logarithm of the binomial coefficient."""
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
