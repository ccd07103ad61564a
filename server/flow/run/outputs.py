"""The node that stands for all `type=output` nodes of a graph (spec 2.6, 4.11). What arrives is a program's."""

from typing import Any

from server.flow.run.receiving import ReceivingNode
from server.flow.run.streams import Row, RowKind, Token, error_of, kind_of


class OutputNode(ReceivingNode):
    """Each of its input ports is one output node of the graph. `match` (the default): ports are matched by
    position, and a position without data at one of them is dropped at all. `unmatch`: each port for itself.

    Buffers of sessions that no program began (a unit's own external data) have nobody to go to.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._is_separate = self.plan.options.get("output_type") == "unmatch"

    def accept(self, port: int, token: Token) -> None:
        if not self._is_separate:
            super().accept(port, token)
            return
        self._deliver((token,), (self.inputs[port].name,))
        self.inputs[port].taken(1)
        self.done([(token,)])

    def accept_row(self, row: Row) -> None:
        self._deliver(row, tuple(port.name for port in self.inputs))
        self.taken(1)
        self.done([row])

    def _deliver(self, row: Row, ports: tuple[str, ...]) -> None:
        if kind_of(row, exception_visible=True) not in (RowKind.DATA, RowKind.ERROR):
            return
        session = row[0].scope.session
        error = error_of(row)
        if error is not None:
            session.error = (error.get_error_code(), error.get_error_msg())
        self.note_call(0.0)
        if session.outlet is not None:
            session.outlet.put(
                {port: token.buffer for port, token in zip(ports, row, strict=True) if token.buffer is not None}
            )
