"""What every bench prints: one JSON object, with the machine it was measured on."""

import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version()}


def print_report(name: str, figures: dict[str, Any]) -> None:
    print(json.dumps({"bench": name, "machine": machine(), "figures": figures}, indent=1))


def summary(seconds: list[float]) -> dict[str, float]:
    """Milliseconds: median and 95th percentile."""
    ordered = sorted(seconds)
    return {
        "median_ms": round(statistics.median(ordered) * 1000, 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95) - 1] * 1000, 2),
        "n": len(ordered),
    }
