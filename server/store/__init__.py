"""The event log and its projection in SQL. Whoever needs either goes through Store.

SQLAlchemy, Alembic and the database drivers live in this package only. It may import the domain (server.jobs).
"""

from server.store import seen
from server.store.archiving.archive import Archived, archive
from server.store.audit import Difference
from server.store.backup import backup
from server.store.batch import Appended
from server.store.errors import (
    CannotStore,
    Damaged,
    HistoryLost,
    Refused,
    SchemaOutdated,
    SchemaTooNew,
    StaleEpoch,
    StoreError,
    StoreUnavailable,
    VersionConflict,
)
from server.store.leader import LeaderLock, leader_lock
from server.store.loss import accept_loss
from server.store.queries import Changes, Snapshot
from server.store.restore import restore
from server.store.schema import current, upgrade
from server.store.store import Store, check
from server.store.wakeups import Wakeups

__all__ = [
    "Store",
    "Appended",
    "Snapshot",
    "Changes",
    "Difference",
    "LeaderLock",
    "leader_lock",
    "Wakeups",
    "check",
    "backup",
    "archive",
    "Archived",
    "restore",
    "accept_loss",
    "seen",
    "upgrade",
    "current",
    "StoreError",
    "StoreUnavailable",
    "Damaged",
    "HistoryLost",
    "Refused",
    "SchemaOutdated",
    "SchemaTooNew",
    "StaleEpoch",
    "VersionConflict",
    "CannotStore",
]
