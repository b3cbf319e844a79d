"""What nodes tell of themselves, read again, and what happened in between."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Labels = frozenset[tuple[str, str]]


class Samples:
    """The numbers of one worker.

    Args:
        values: By name and labels, the worker's aside.
    """

    def __init__(self, values: Mapping[tuple[str, Labels], float]) -> None:
        self._values = values

    def value(self, name: str, labels: Labels) -> float:
        """Return a number, 0 if there is none."""
        return self._values.get((name, labels), 0.0)

    def total(self, name: str) -> float:
        """Return a number, over all its labels."""
        return sum(value for (each, _), value in self._values.items() if each == name)

    def quantile(self, name: str, share: float, before: "Samples | None") -> float:
        """Return the bound that a share of a histogram's durations is within.

        Args:
            name: The histogram's.
            share: 0.99, for one.
            before: What was counted by then is left out.

        Returns:
            Seconds; NaN where there are none.
        """
        counts = {
            float(dict(labels)["le"]): value
            - (before.value(each, labels) if before else 0.0)
            for (each, labels), value in self._values.items()
            if each == f"{name}_bucket"
        }
        whole = counts.get(math.inf, 0.0)
        if whole <= 0:
            return math.nan
        return min(bound for bound, count in counts.items() if count >= share * whole)


def parse(text: str) -> dict[str, Samples]:
    """Return the numbers of Prometheus's text format by their worker.

    One that is alone is worker "".
    """
    found: dict[str, dict[tuple[str, Labels], float]] = defaultdict(dict)
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if match is None:
            continue
        labels = dict(_LABEL.findall(match[2] or ""))
        worker = labels.pop("worker", "")
        found[worker][match[1], frozenset(labels.items())] = float(match[3])
    # What is of all workers has no label of one; it is none itself.
    alone = "" if len(found) == 1 else None
    return {
        worker: Samples(values)
        for worker, values in sorted(found.items())
        if worker or worker == alone
    }
