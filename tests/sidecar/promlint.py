"""The checks of ``promtool check metrics``, for what prometheus_client's parser read.

After the rules of client_golang's promlint (help, units, counter, histogram, type in the name,
reserved characters, camel case, abbreviations, duplicates), written anew for these families.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric

_BASE = re.compile("amperes|bytes|celsius|grams|joules|kelvin|meters|metres|seconds|volts")
_OTHER = {
    **dict.fromkeys(["minutes", "hours", "days", "weeks"], "seconds"),
    **dict.fromkeys(["fahrenheit", "rankine"], "celsius"),
    **dict.fromkeys(["inches", "yards", "miles"], "meters"),
    **dict.fromkeys(["pounds", "ounces"], "grams"),
    "bits": "bytes",
    "calories": "joules",
    "kelvins": "kelvin",
}
_PREFIX = re.compile(
    "pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi"
)
_ABBREVIATED = re.compile("s|ms|us|ns|sec|m|h|d|b|kb|mb|gb|tb|pb")
_TYPES = frozenset(["counter", "gauge", "summary", "untyped", "histogram", "gaugehistogram"])


def lint(families: list[Metric]) -> list[str]:
    """Return what promtool would say, a line a problem."""
    names = Counter(family.name for family in families)
    found = [f"{name}: given twice" for name, count in names.items() if count > 1]
    for family in families:
        # The parser takes "_total" off a counter's name; promtool sees the name as it is printed.
        name = family.name + ("_total" if family.type == "counter" else "")
        found += [f"{name}: {problem}" for problem in _problems(family, name)]
    return found


def _problems(family: Metric, name: str) -> Iterator[str]:
    if not family.documentation.strip():
        yield "no help text"
    if family.type in ("unknown", "untyped"):
        yield "no type"
    words = name.split("_")
    for word in words:
        bare = _PREFIX.sub("", word, count=1) if _PREFIX.match(word) else word
        if word in _OTHER or (bare != word and (_BASE.fullmatch(bare) or bare in _OTHER)):
            yield f"use base unit {_OTHER.get(bare, bare)!r} instead of {word!r}"
    if family.type == "counter":
        for sample in family.samples:
            if not sample.name.endswith(("_total", "_created")):
                yield f'counter sample {sample.name} should have "_total" suffix'
    elif name.endswith("_total"):
        yield 'non-counter metrics should not have "_total" suffix'
    if family.type != "histogram" and name.endswith(("_bucket", "_count", "_sum")):
        yield "suffix is reserved for histograms"
    if _TYPES & set(words):
        yield "name includes a type"
    if any(_ABBREVIATED.fullmatch(word) for word in words[1:]):
        yield "name has an abbreviated unit"
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        yield "name is not in snake_case"
    for sample in family.samples:
        for label in sample.labels:
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", label):
                yield f"label {label} is not in snake_case"
            if label in ("le", "quantile") and family.type != "histogram":
                yield f"label {label} is reserved"
    series = Counter((sample.name, *sorted(sample.labels.items())) for sample in family.samples)
    yield from (f"series {key} is given twice" for key, count in series.items() if count > 1)
