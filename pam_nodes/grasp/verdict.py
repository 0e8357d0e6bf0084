"""A motion judged against what is asked of it: a score, lines for people, and a plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chart import Row, chart
from .measure import MotionQuality


@dataclass(frozen=True)
class Demands:
    """What a motion must keep to. Metres, m/s; 0 does not look at it.

    Attributes:
        penetration: deepest point of the hand in an object.
        below_table: how far a hand may reach under the table.
        speed: of wrists.
        slip: of a held object.
        contact_links: links that must touch at the end; 0 does not look at it.
        success: the grasp must have succeeded.
        limits: no joint may go further than a hand can.
    """

    penetration: float = 0.01
    below_table: float = 0.02
    speed: float = 3.0
    slip: float = 0.03
    contact_links: int = 0
    success: bool = True
    limits: bool = False


@dataclass(frozen=True)
class Verdict:
    """Score 0..1 (the share of demands kept, each counted by how far it is missed), the lines, and what failed."""

    score: float
    lines: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    def demand(self, what: str, least: float) -> None:
        """Raise a ValueError with all lines if the score is lower than ``least``; ``what`` was judged."""
        if self.score < least:
            raise ValueError(f"{what}: the score {self.score:.2f} is below {least:g}, missed: {', '.join(self.failed)}. {self.text}")


def judge(quality: MotionQuality, demands: Demands) -> Verdict:
    """Compare a motion with demands."""
    deepest, low = float(quality.penetration.max()), float(quality.table.min())
    mean = quality.mean_penetration * 1000
    speed, links = float(quality.wrist_speed.max()), int(quality.contact_links[-1])
    checks = [
        ("penetration", demands.penetration, deepest, f"Penetration {mean:.1f} mm mean, {deepest * 1000:.1f} max"),
        ("below the table", demands.below_table, max(-low, 0.0), f"Lowest point of the hand {low * 100:+.1f} cm from the table"),
        ("speed", demands.speed, speed, f"Wrist up to {speed:.2f} m/s and {quality.wrist_acceleration.max():.1f} m/s2"),
        ("slip", demands.slip, quality.slip, f"Held object slips {quality.slip * 1000:.1f} mm, up to {quality.object_speed.max():.2f} m/s"),
    ]
    lines, failed, marks = [], [], []
    for name, limit, value, text in checks:
        over = limit > 0 and value > limit
        lines.append(f"{text}{_limit(name, limit) if over else ''}")
        failed += [name] if over else []
        marks.append(min(1.0, limit / value) if over else 1.0)
    if quality.success is not None:
        lines.insert(0, "Grasp succeeded" if quality.success else "Grasp failed")
        if demands.success and not quality.success:
            failed.insert(0, "success")
            marks += [0.0, 0.0, 0.0]
    lines.append(f"{links} links in contact at the end, {int(quality.contact_links.max())} at most")
    if links < demands.contact_links:
        failed.append("contact")
        marks.append(links / demands.contact_links)
    lines += _joints(quality)
    if demands.limits and quality.excesses:
        failed.append("joint limits")
        marks.append(1 - len({found.frame for found in quality.excesses}) / len(quality.table))
    return Verdict(float(np.mean(marks)), (*lines, *quality.notes), tuple(failed))


def _limit(name: str, limit: float) -> str:
    return f" (limit {limit:.1f} m/s)" if name == "speed" else f" (limit {limit * 1000:.0f} mm)"


def _joints(quality: MotionQuality) -> list[str]:
    if not quality.excesses:
        return ["All joints within a hand's range"]
    worst = max(quality.excesses, key=lambda found: abs(found.degrees - found.limit))
    joints = len({(found.finger, found.joint) for found in quality.excesses})
    return [f"{joints} joints beyond a hand's range in {len({f.frame for f in quality.excesses})} frames, most {worst}"]


ROWS = (
    ("penetration, mm", "penetration", 1000.0, (214, 69, 65)),
    ("contact links", "contact_links", 1.0, (46, 134, 193)),
    ("wrist speed, m/s", "wrist_speed", 1.0, (39, 150, 100)),
    ("lowest point over table, cm", "table", 100.0, (150, 110, 40)),
)


def plot(quality: MotionQuality) -> np.ndarray:
    """(480, 640, 3) uint8: penetration, contacts, wrist speed and height over the table, frame by frame."""
    return chart([Row(title, np.asarray(getattr(quality, name)) * scale, color) for title, name, scale, color in ROWS])
