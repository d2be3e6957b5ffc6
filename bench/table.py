"""What was measured, in figures: rounds of contenders, and the table of one work.

Ratios are the median of the ratios of neighbouring rounds. Must not know how anything
is measured.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from server import Kind
from work import Work

NUMBERS = (("req/s", 9), ("range", 18), ("to bare", 9), ("to rival", 10), ("p99 ms", 9), ("CPU us", 9))


@dataclass
class Round:
    requests_per_s: float
    p99_ms: float
    cpu_us: float  # per request, all processes of the server


@dataclass
class Entry:
    """One contender at one work. broken: what it did wrong; it is not measured further."""

    kind: Kind
    rounds: list[Round] = field(default_factory=list)
    pss_mib: dict[str, float] = field(default_factory=dict)
    broken: str = ""

    def values(self, name: str) -> list[float]:
        return [getattr(round_, name) for round_ in self.rounds]

    def median(self, name: str) -> float:
        return statistics.median(self.values(name))

    def ratio_to(self, other: "Entry | None") -> float | None:
        """None when one of them was not measured, or when it is the same."""
        if other is None or other is self or self.broken or other.broken:
            return None
        ratios = [mine.requests_per_s / theirs.requests_per_s for mine, theirs in zip(self.rounds, other.rounds)]
        return statistics.median(ratios) if ratios else None


@dataclass
class Table:
    """All contenders at one work, by name."""

    work: Work
    entries: dict[str, Entry]

    def to_bare(self, entry: Entry) -> float | None:
        return entry.ratio_to(self.entries.get("bare"))

    def to_rival(self, entry: Entry) -> float | None:
        return entry.ratio_to(self.entries.get(entry.kind.rival))

    def lines(self) -> list[str]:
        heading = "".join(f"{name:>{width}}" for name, width in NUMBERS)
        title = f"{self.work.name}: {self.work.title}, {self.work.connections} connections"
        return ["", title, f"  {'':<18}{heading}   PSS MiB", *(self._line(e) for e in self.entries.values())]

    def _line(self, entry: Entry) -> str:
        start = f"  {entry.kind.name:<18}"
        if entry.broken:
            return start + "FAILED: " + entry.broken
        rates = entry.values("requests_per_s")
        cells = (f"{entry.median('requests_per_s'):,.0f}", f"{min(rates):,.0f}-{max(rates):,.0f}",
                 _ratio(self.to_bare(entry)), _ratio(self.to_rival(entry)),
                 f"{entry.median('p99_ms'):.2f}", f"{entry.median('cpu_us'):,.0f}")
        numbers = "".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, NUMBERS))
        return start + numbers + "   " + ", ".join(f"{role} {size:.1f}" for role, size in entry.pss_mib.items())

    def results(self) -> list[dict[str, object]]:
        """The same for a program."""
        return [{
            "work": self.work.name, "server": entry.kind.name, "broken": entry.broken,
            "rounds": [vars(round_) for round_ in entry.rounds], "pss_mib": entry.pss_mib,
            "to_bare": self.to_bare(entry), "rival": entry.kind.rival, "to_rival": self.to_rival(entry),
        } for entry in self.entries.values()]


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
