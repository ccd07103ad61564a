"""How output_broker sends: with retries, in the caller's thread or from a queue with a thread of its own."""

import logging
import threading
from collections import deque
from dataclasses import dataclass

from server.flow.units.webhook import Sent, Webhook

IDLE_SECONDS = 10.0
log = logging.getLogger("server.flow")


@dataclass(frozen=True)
class RetryPolicy:
    """`count_limit` below 0: without end. Times in milliseconds."""

    count_limit: int
    interval_base: int
    interval_increment: int
    interval_limit: int

    def allows(self, retries: int) -> bool:
        return self.count_limit < 0 or retries < self.count_limit

    def wait_seconds(self, retries: int) -> float:
        """Before the retry after `retries` retries."""
        return min(self.interval_base + retries * self.interval_increment, self.interval_limit) / 1000


def send_with_retries(webhook: Webhook, body: bytes, policy: RetryPolicy, stop: threading.Event) -> bool:
    """Whether it was sent. Gives up when `stop` is set."""
    retries = 0
    while True:
        outcome, reason = webhook.send(body)
        if outcome is Sent.DONE:
            return True
        if outcome is Sent.GIVE_UP or not policy.allows(retries):
            log.warning("output_broker: dropped %d bytes after %d retries: %s", len(body), retries, reason)
            return False
        if stop.wait(policy.wait_seconds(retries)):
            log.warning("output_broker: dropped %d bytes, as the flow stops: %s", len(body), reason)
            return False
        retries += 1


class QueuedSender:
    """Sends to one webhook, in order, on a thread that starts with the first body and ends when it was idle for
    a while. When the queue is full its oldest body is dropped (spec 7.7)."""

    def __init__(self, webhook: Webhook, policy: RetryPolicy, queue_size: int) -> None:
        self._webhook = webhook
        self._policy = policy
        self._queue: deque[bytes] = deque()
        self._size = queue_size
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._is_running = False
        self._is_sending = False

    def put(self, body: bytes) -> None:
        with self._changed:
            if self._stop.is_set():
                return
            if len(self._queue) >= self._size:
                self._queue.popleft()
                log.warning("output_broker: the queue of %s is full, its oldest is dropped", self._webhook.url)
            self._queue.append(body)
            self._changed.notify_all()
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="output-broker", daemon=True).start()

    @property
    def is_idle(self) -> bool:
        with self._changed:
            return not self._is_running

    def close(self, seconds: float) -> None:
        """Waits for the queue to drain; what is left after `seconds` is dropped."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._is_sending, seconds)
            self._stop.set()
            if self._queue:
                log.warning("output_broker: %d bodies for %s are dropped", len(self._queue), self._webhook.url)
                self._queue.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_running, seconds)

    def _run(self) -> None:
        while (body := self._next()) is not None:
            try:
                send_with_retries(self._webhook, body, self._policy, self._stop)
            except Exception:
                log.exception("output_broker: a body could not be sent")
            with self._changed:
                self._is_sending = False
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._stop.is_set(), IDLE_SECONDS)
            if self._queue and not self._stop.is_set():
                self._is_sending = True
                return self._queue.popleft()
            self._is_running = False
            self._changed.notify_all()
            return None
