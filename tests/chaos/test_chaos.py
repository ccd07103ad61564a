"""Chaos under load: `script/test --chaos N` for N rounds on each database; a few rounds in every test run."""

import os

from tests.chaos.rounds import run_rounds
from tests.installation import Installation

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "1104"))


def test_no_promise_is_broken(installation: Installation) -> None:
    report = run_rounds(installation, ROUNDS, SEED)
    print(report.as_json(), *report.told, sep="\n")
    assert report.is_clean, "\n".join([report.as_json(), *report.told, installation.output()[-3000:]])
    assert installation.run("db", "verify").returncode == 0
