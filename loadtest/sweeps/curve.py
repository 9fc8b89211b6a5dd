"""The capacity curve: offered load stepped from a quarter of what saturates a server to twice as much.

Each point is a run of Locust (an open loop, every query another), in a folder of its own: one that is there already is
not run again. First the saturating rate is looked for with a closed loop of eight requests; what is really generated at
most is then read from the points, and the last point of each mode offers twice that.
"""

import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import Progress, TaskID

from loadtest.load.report import JSON, Report
from loadtest.load.slo import Slo
from loadtest.load.statistics import Limits, Summary
from loadtest.load.traffic import Kind
from loadtest.machine import processor
from loadtest.micro.gateway_bench import summaries
from loadtest.sweeps.locust_process import locust
from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.evaluation.rows import rows

SHARES = (0.25, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5)
"""Offered loads, of the rate that saturates. One more follows: twice what was generated at most."""

MODES: tuple[Kind, ...] = ("json", "stream")

CARRIED = 0.95
"""Up to the knee at least this share of what is offered is answered by the model in time."""

IN_FLIGHT = 8
SATURATION = "saturation.json"


@dataclass(frozen=True, slots=True)
class Curve:
    """One mode's points, by offered load."""

    mode: Kind
    points: tuple[Summary, ...]

    @property
    def saturation(self) -> float:
        """The most that the model answered in a second, in time or not, at any load."""
        return max(one.generated for one in self.points)

    @property
    def peak(self) -> Summary:
        """The point with the highest goodput."""
        return max(self.points, key=lambda one: one.goodput)

    @property
    def kept(self) -> float:
        """Goodput at the highest offered load, as a share of its peak."""
        return self.points[-1].goodput / self.peak.goodput if self.peak.goodput else 0.0

    @property
    def knee(self) -> Summary | None:
        """The last point before the first that is not carried; None when not even the first is."""
        knee = None
        for one in self.points:
            if one.shares.goodput < CARRIED:
                break
            knee = one
        return knee


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is found, as it is kept in curve.json. `probed`: requests a second of the closed loop."""

    engine: str
    processor: str
    seconds: int
    limits: Limits
    probed: float
    curves: tuple[Curve, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read curve.json. Raises ConfigurationError naming the file."""
        return json_files.load(cls, path, "capacity curve")


@dataclass(frozen=True, slots=True)
class Study:
    """What to measure: `seconds` a point, after `warm_up` that are not counted, and where its state is kept."""

    slo: Path
    data: Path
    seconds: int
    warm_up: int
    seed: int
    work: Path

    async def run(self, url: str, engine: str, console: Console) -> Capacity:
        """Measure what is not measured yet. Raises ConfigurationError when a point cannot be measured."""
        self.work.mkdir(parents=True, exist_ok=True)
        with Progress(console=console) as progress:
            task = progress.add_task("closed loop", total=1 + len(MODES) * (len(SHARES) + 1))
            probed = await self._saturation(url)
            progress.advance(task)
            curves = [await self._curve(url, mode, probed, progress, task) for mode in MODES]
        limits = Report.load(self._folder(MODES[0], 0) / JSON).limits
        return Capacity(engine, processor(), self.seconds, limits, probed, tuple(curves))

    async def _saturation(self, url: str) -> float:
        """Requests a second of a closed loop; looked for once, so that a later run offers the same loads."""
        kept = self.work / SATURATION
        if not kept.exists():
            found = await summaries(url, rows(self.data), IN_FLIGHT, f"Probe {uuid.uuid4().hex}:")
            json_files.save(kept, found["requests/s"])
        return json_files.load(float, kept, "saturating rate", "Delete it to measure again.")

    async def _curve(self, url: str, mode: Kind, probed: float, progress: Progress, task: TaskID) -> Curve:
        points: list[Summary] = []
        for number in range(len(SHARES) + 1):
            last = number == len(SHARES)
            rate = 2 * Curve(mode, tuple(points)).saturation if last else probed * SHARES[number]
            progress.update(task, description=f"{mode}, {rate:.3g} requests/s")
            points.append((await self._point(url, self._folder(mode, number), mode, number, rate)).summary)
            progress.advance(task)
        return Curve(mode, tuple(sorted(points, key=lambda one: one.offered)))

    def _folder(self, mode: Kind, number: int) -> Path:
        return self.work / f"{mode}-{number}"

    async def _point(self, url: str, folder: Path, mode: Kind, number: int, rate: float) -> Report:
        options = {
            "rate": round(rate, 4), "mix": f"{mode}=1", "slo": str(self.slo), "data": str(self.data), "distinct": True,
            "seed": self.seed + number + 100 * MODES.index(mode), "warm_up": self.warm_up, "report": str(folder),
        }  # fmt: skip
        total = self.seconds + self.warm_up
        if (folder / JSON).exists():
            report = Report.load(folder / JSON)
            done, limits = asdict(report.options), Slo.load(self.slo).in_time
            if report.limits == limits and all(
                done[name] == value for name, value in ({"run_time": total} | options).items()
            ):
                return report
        folder.mkdir(exist_ok=True)
        (folder / JSON).unlink(missing_ok=True)
        arguments = [
            f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in options.items()
        ]
        await locust("--host", url, "--run-time", f"{total}s", *arguments, log=folder / "locust.log")
        if not (folder / JSON).exists():
            raise ConfigurationError(f"Locust made no report. Its log says why: {folder / 'locust.log'}.")
        return Report.load(folder / JSON)
