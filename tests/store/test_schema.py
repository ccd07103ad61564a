import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from server.store import SchemaOutdated, SchemaTooNew, Store, StoreUnavailable, current, upgrade
from server.store.schema import REVISIONS, scripts
from server.store.tables import METADATA
from server.store.urls import database_of
from tests.store.jobs import CLIENT, create, query


def test_an_empty_database_is_brought_up_to_date(empty_url: str) -> None:
    assert upgrade(empty_url)
    assert current(empty_url) == REVISIONS[-1]
    assert not upgrade(empty_url)


async def test_an_upgrade_keeps_what_is_there(url: str) -> None:
    store = await Store.open(url)
    await store.submit(create(), CLIENT)

    assert not await asyncio.to_thread(upgrade, url)

    assert len(await store.events()) == 1
    await store.close()


def test_processes_that_upgrade_at_once_all_succeed(empty_url: str) -> None:
    program = "import sys; from server.store import upgrade; upgrade(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], stderr=subprocess.PIPE) for _ in range(4)
    ]

    errors = [process.communicate(timeout=60)[1] for process in processes]

    assert errors == [b""] * 4
    assert [process.returncode for process in processes] == [0] * 4
    assert current(empty_url) == REVISIONS[-1]


async def test_an_empty_database_is_not_opened(kind: str, empty_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="modelbox-server db upgrade"):
        await Store.open(empty_url)


async def test_a_database_of_an_older_program_is_not_opened(url: str) -> None:
    query(url, "DELETE FROM alembic_version")

    with pytest.raises(SchemaOutdated, match=f"is at schema none, this program needs {REVISIONS[-1]}"):
        await Store.open(url)


async def test_a_database_of_a_newer_program_is_refused(url: str) -> None:
    query(url, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaTooNew, match="is at schema 9999, which a newer program made"):
        await Store.open(url)
    with pytest.raises(SchemaTooNew):
        upgrade(url)
    assert current(url) == "9999"


def test_an_interrupted_upgrade_has_not_happened(empty_url: str) -> None:
    program = (
        "import os, sys\n"
        "from alembic.operations import Operations\n"
        "from server.store import upgrade\n"
        "Operations.create_index = lambda *args, **kwargs: os._exit(9)\n"
        "import alembic.op\n"
        "alembic.op.create_index = lambda *args, **kwargs: os._exit(9)\n"
        "upgrade(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, empty_url], check=False)
    assert done.returncode == 9

    assert current(empty_url) is None
    assert upgrade(empty_url)


def test_the_tables_are_what_the_migrations_make(url: str) -> None:
    with database_of(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_every_migration_is_known_by_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.set_main_option("path_separator", "os")
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(revisions)) == REVISIONS


def test_opening_a_current_database_does_not_load_alembic(url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from server.store import Store\n"
        "async def main():\n"
        "    await (await Store.open(sys.argv[1])).close()\n"
        "asyncio.run(main())\n"
        "assert not [name for name in sys.modules if name.startswith('alembic')]\n"
    )
    subprocess.run([sys.executable, "-c", program, url], check=True)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_alembic_by_hand(empty_url: str, kind: str) -> None:
    root = Path(__file__).parents[2]

    subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"url={empty_url}", "upgrade", "head"],
        cwd=root,
        check=True,
        capture_output=True,
    )

    assert current(empty_url) == REVISIONS[-1]
