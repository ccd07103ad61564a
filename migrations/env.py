"""Alembic's entry. `db upgrade` passes an open connection; by hand it is `alembic -x url=… upgrade head`."""

from alembic import context

from server.store.sqlite import SqliteDatabase
from server.store.tables import METADATA
from server.store.urls import database_of


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise SystemExit("which database? alembic -x url=sqlite:////path/to.db (or postgresql://…) upgrade head")
    database = database_of(url)
    if isinstance(database, SqliteDatabase):
        database.connect_driver(create=True).close()
    with database.connect() as connection:
        connection.exec_driver_sql(database.begin_migration)
        _migrate(connection)
        connection.exec_driver_sql("COMMIT")


def _migrate(connection: object) -> None:
    # all steps in the transaction that is open already: a migration that is interrupted has not happened
    context.configure(connection=connection, target_metadata=METADATA, transactional_ddl=True)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()


run()
