"""What a chaos round does to the processes of an installation."""

import contextlib
import os
import random
import signal
import time

from tests.installation import Installation

PARTS = ("serve", "api", "runner", "host", "engine")
PAUSES = (0.0, 0.05, 0.3)


def part_of(title: str) -> str:
    words = title.split()
    if words[1] == "engine":
        return "host" if words[2] == "host" else "engine"
    return words[1]


def make_trouble(installation: Installation, rng: random.Random) -> str:
    """Does one thing to a random mix of processes, and says what."""
    kind = rng.choice(["kill", "kill", "kill", "stop", "terminate", "everything"])
    if kind == "everything":
        installation.kill_everything()
        return "kill -9 of everything"
    if kind == "terminate":
        code = installation.stop(rng.choice([signal.SIGTERM, signal.SIGINT]))
        assert code == 0, installation.output()
        return "an orderly stop"
    victims = rng.sample(PARTS, rng.randint(1, len(PARTS)))
    chosen = [pid for pid, title in installation.processes().items() if _is_hit(title, victims, rng)]
    for pid in chosen:
        _send(pid, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
        time.sleep(rng.choice(PAUSES) / 10)
    if kind == "stop":
        time.sleep(rng.uniform(0.05, 1.0))
        for pid in chosen:
            _send(pid, signal.SIGCONT)
    return f"{kind} of {len(chosen)}: {', '.join(sorted(victims))}"


def _is_hit(title: str, victims: list[str], rng: random.Random) -> bool:
    part = part_of(title)
    return part in victims and (part != "engine" or rng.random() < 0.5)


def _send(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)
