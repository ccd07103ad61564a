import subprocess
import sys
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from server.api.owner import this_process

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TRUSTED = timedelta(seconds=60)


def test_a_process_lives_until_it_is_dead() -> None:
    ours = this_process()
    script = "from server.api.owner import this_process; print(this_process().text, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        text = other.stdout.readline()
        assert not ours.is_gone(text, NOW - timedelta(days=1), NOW, TRUSTED)
        other.kill()
        other.wait()
        assert ours.is_gone(text, NOW, NOW, TRUSTED)


def test_who_has_its_pid_by_now_is_another() -> None:
    ours = this_process()
    assert ours.is_gone(replace(ours, start_time=ours.start_time - 1).text, NOW, NOW, TRUSTED)
    assert ours.is_gone(replace(ours, boot_id="another").text, NOW, NOW, TRUSTED)


def test_a_process_that_cannot_be_seen_is_trusted_for_a_time() -> None:
    ours = this_process()
    for stranger in (replace(ours, host="another"), replace(ours, pid_namespace="pid:[1]")):
        assert not ours.is_gone(stranger.text, NOW - TRUSTED, NOW, TRUSTED)
        assert ours.is_gone(stranger.text, NOW - TRUSTED - timedelta(seconds=1), NOW, TRUSTED)
