"""From a task to its outcome."""

from server.flow.examine.task import Outcome, Task
from server.flow.examine.verdict import examine


def carry_out(task: Task) -> Outcome:
    return Outcome(verdict=examine(task.source, task.format))
