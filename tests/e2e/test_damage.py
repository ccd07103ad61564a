"""A server on a damaged database does not start, says why and what to do, and leaves the engines alone."""

import sqlite3

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port


def test_a_damaged_database_is_refused_and_mended(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    port = free_port()
    assert installation.create("aa", echo_flow(port)).status_code == 201
    engines = installation.engines()
    assert installation.stop() == 0
    change(installation, "UPDATE job SET desired = 'deleted'")

    refused = installation.run("serve", "--port", str(installation.port))

    assert refused.returncode == 2
    assert "the row of job aa in table job is damaged" in refused.stderr
    assert "modelbox-server db rebuild" in refused.stderr
    assert "Traceback" not in refused.stderr
    found = installation.run("db", "verify")
    assert found.returncode == 1
    assert "job aa: desired is deleted, expected running" in found.stdout
    assert ask(port).content == b"hello"
    assert installation.run("db", "rebuild").stdout == "1 jobs written\n"
    installation.start()
    installation.wait_for("aa", "RUNNING")
    assert installation.engines() == engines


def test_a_damaged_log_is_refused_and_replaced(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    assert installation.create("aa", echo_flow(free_port())).status_code == 201
    assert installation.stop() == 0
    backup = str(installation.state_dir.parent / "aa.backup")
    assert installation.run("db", "backup", backup).returncode == 0
    change(installation, "DROP TRIGGER event_is_not_changed", "UPDATE event SET actor = 'me' WHERE position = 2")

    refused = installation.run("serve", "--port", str(installation.port))

    assert refused.returncode == 2
    assert "position 2, job aa: event.checksum is" in refused.stderr
    assert "modelbox-server db restore" in refused.stderr
    assert "position 2, job aa: event.checksum is" in installation.run("db", "verify").stdout
    assert installation.run("db", "rebuild").returncode == 2
    assert installation.run("db", "restore", "--replace", backup).returncode == 0
    installation.start()
    installation.wait_for("aa", "RUNNING")
    assert installation.run("db", "verify").returncode == 0


def change(installation: Installation, *statements: str) -> None:
    with sqlite3.connect(installation.state_dir / "modelbox.db") as database:
        for statement in statements:
            database.execute(statement)
    database.close()
