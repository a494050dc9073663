#!/usr/bin/env python3
"""Writes tests/compare/golden.json: paired tests and intervals as statsmodels, scipy and plain numpy compute them.

    python tools/make_compare_golden.py tests/compare/golden.json

Needs numpy, scipy and statsmodels. McNemar's exact test and Holm's adjustment are those of statsmodels, the sign-flip
test is scipy's permutation_test over all flips, the paired bootstrap 20000 draws of numpy.
"""

import json
import sys

import numpy
import scipy.stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

rng = numpy.random.default_rng(7)


def mcnemar_case(only_a, only_b):
    p = mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue
    return {"only_a": only_a, "only_b": only_b, "p": float(p)}


def sign_flip_case(n, shift):
    """Clusters' parts of two means; all 2^n flips."""
    a, b = rng.normal(size=n).round(3), (rng.normal(size=n) + shift).round(3)
    test = scipy.stats.permutation_test((b - a,), lambda x, axis: x.sum(axis=axis), permutation_type="samples",
                                        n_resamples=2**n, vectorized=True, alternative="two-sided")
    return {"a": a.tolist(), "b": b.tolist(), "p": float(test.pvalue)}


def holm_case(n):
    p = (rng.uniform(size=n) ** 3).round(6)
    return {"p": p.tolist(), "adjusted": multipletests(p, method="holm")[1].tolist()}


def bootstrap_case(sizes):
    """Strata of clusters with 1 to 3 items each; the difference of two models' means of strata."""
    strata = []
    for clusters in sizes:
        counts = rng.integers(1, 4, size=clusters)
        strata.append({"counts": counts.tolist(), "a": rng.binomial(counts, 0.4).tolist(),
                       "b": rng.binomial(counts, 0.5).tolist()})
    draws = numpy.zeros(20000)
    for s in strata:
        counts, a, b = (numpy.array(s[key]) for key in ("counts", "a", "b"))
        picks = rng.integers(0, len(counts), size=(len(draws), len(counts)))
        draws += (b[picks].sum(axis=1) - a[picks].sum(axis=1)) / counts[picks].sum(axis=1) / len(strata)
    low, high = numpy.quantile(draws, [0.025, 0.975])
    return {"strata": strata, "error": float(draws.std(ddof=1)), "low": float(low), "high": float(high)}


golden = {
    "mcnemar": [mcnemar_case(*pair) for pair in ((0, 0), (1, 0), (0, 5), (6, 0), (3, 3), (3, 4), (10, 25), (40, 12),
                                                 (150, 201), (5000, 5200), (30000, 29000), (700, 300))],
    "sign_flips": [sign_flip_case(n, shift) for n, shift in ((2, 0), (3, 1), (6, 2), (10, 0.2), (13, 1), (18, 0.5), (18, 1))],
    "holm": [holm_case(n) for n in (1, 2, 5, 12)],
    "bootstrap": [bootstrap_case(sizes) for sizes in ((200,), (40, 90, 15))],
}
with open(sys.argv[1], "w") as file:
    json.dump(golden, file, indent=None, separators=(",", ":"))
    file.write("\n")
