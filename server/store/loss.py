"""Going on with a log that has lost events, because somebody said so."""

from server.jobs.commands import Context
from server.jobs.ids import Epoch
from server.store.errors import Refused
from server.store.leader import leader_lock
from server.store.seen import Seen
from server.store.sqlite import SqliteDatabase
from server.store.store import Store
from server.store.urls import database_of

CONTEXT = Context(actor="accept-loss")


async def accept_loss(url: str, host: str, known: Seen | None) -> Epoch:
    """Appends LossAccepted to the log at `url`, of which `known` was the last known; returns the new epoch.

    Raises: Refused, StoreUnavailable, Damaged.
    """
    database = database_of(url)
    lock = leader_lock(url)
    try:
        # a server that has the old file open would take it for the new one's log when it closes it
        if isinstance(database, SqliteDatabase) and not await lock.try_acquire():
            raise Refused(f"a server uses database {database}: stop it first, its engines may go on")
        store = await Store.open(url)
        try:
            return await store.accept_loss(CONTEXT, host, known)
        finally:
            await store.close()
    finally:
        await lock.release()
