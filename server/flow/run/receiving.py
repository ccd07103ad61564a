"""Nodes with inputs: what arrives at their ports becomes rows."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from server.flow.run.node import Node
from server.flow.run.ports import InPort, Matcher, Mismatch
from server.flow.run.streams import Row, Token
from server.flow.status import StatusCode


class ReceivingNode(Node, ABC):
    port_class: ClassVar[type[InPort]] = InPort

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._matcher: Matcher | None = None

    def add_input(self, name: str, capacity: int) -> None:
        self.inputs.append(self.port_class(self, len(self.inputs), name, capacity))
        if len(self.inputs) > 1:
            self._matcher = Matcher(len(self.inputs))

    def accept(self, port: int, token: Token) -> None:
        if self._matcher is None:
            self.accept_row((token,))
            return
        try:
            rows = self._matcher.put(port, token)
        except Mismatch as mismatch:
            words = "missmatch, received end when other port still has data"
            place = f"node '{self.name}', port '{self.inputs[mismatch.port].name}'"
            self.fail(StatusCode.FAULT, f"{words}: the stream at {place} is shorter than that at another input")
            return
        for row in rows:
            self.accept_row(row)

    @abstractmethod
    def accept_row(self, row: Row) -> None:
        """Takes a position at which every port has something. With the lock held."""
