"""The bodies of `server.wire.bodies`, under the name that they had here."""

from server.wire.bodies import CreateBody, ErrorBody, JobBody, JobListBody

__all__ = ["CreateBody", "ErrorBody", "JobBody", "JobListBody"]
