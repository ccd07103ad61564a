"""What can go wrong with the store.

StoreError
├── StoreUnavailable      the database cannot be used now; the same call may succeed later
│   ├── SchemaOutdated    `db upgrade` is needed first
│   ├── Damaged           rows are not as they were written
│   ├── CommitUnknown     the answer to a commit was lost
│   ├── HistoryLost       events that were on disk are not in the log any more
│   └── SchemaTooNew      a newer program owns this database
├── Refused               what was asked for would do harm
├── StaleEpoch            a runner that leads no more tried to write
├── VersionConflict       the job is no longer at the version that was expected
└── CannotStore           the database refuses this one value, today and tomorrow
"""


class StoreError(Exception):
    """One line: what was wrong, which database (without its password), what to do."""


class StoreUnavailable(StoreError):
    """The database is gone, locked, full, read-only or broken. Nothing is known to be on disk."""


class SchemaOutdated(StoreUnavailable):
    """The database was made by an older program, or is empty."""


class SchemaTooNew(StoreUnavailable):
    """The database was upgraded by a newer program, whose rows this one might misread."""


class Damaged(StoreUnavailable):
    """What the database holds is not what was written into it. Nothing is served from it."""


class Refused(StoreError):
    """A backup or restore that would destroy something or run things twice."""


class CommitUnknown(StoreUnavailable):
    """The connection broke while a transaction was being committed: it may be on disk or not."""


class HistoryLost(StoreUnavailable):
    """The database is behind what it acknowledged. Nothing is read or written before somebody decides."""


class StaleEpoch(StoreError):
    """Another runner leads."""


class VersionConflict(StoreError):
    """Somebody else changed the job first."""


class CannotStore(StoreError):
    """The database refuses what the command carries."""
