"""Where and with what a measurement was taken, and the arithmetic and the table that measurements share."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("SQLAlchemy", "starlette", "uvicorn", "httpx", "pydantic-settings", "asyncio-throttle")


def description(libraries: Sequence[str] = LIBRARIES) -> dict[str, object]:
    """The machine, the versions of Python and ``libraries`` and the moment, ready for JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **{library: version(library) for library in libraries},
        },
    }


def resident_bytes() -> int:
    """Physical memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least ``q`` of all values do not exceed (nearest rank); NaN when there is none."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(q * len(values)) - 1, 0)]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of the same keys as aligned columns: text to the left, numbers to the right."""
    columns = list(rows[0])
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    right = [not isinstance(rows[0][column], str) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    )


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _cpu() -> str:
    """The processor's name; Linux tells it in /proc, elsewhere the platform's word must do."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
