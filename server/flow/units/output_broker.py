"""output_broker: sends what it gets to the brokers that the session's configuration names (spec 7.7).

Brokers of the type webhook are here; obs and dis, which need an account of a cloud, are not.
"""

import threading
from dataclasses import dataclass

import msgspec

from server.flow.unitapi import Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned
from server.flow.units.broker_sender import QueuedSender, RetryPolicy, log, send_with_retries
from server.flow.units.webhook import Webhook, webhook_of

SYNC, ASYNC = "sync", "async"
QUEUE_SIZE = 100
RETRY_COUNT_LIMIT = 0
RETRY_INTERVAL_BASE_MS = 1000
RETRY_INTERVAL_INCREMENT_MS = 1000
RETRY_INTERVAL_LIMIT_MS = 60_000
NAMES_META = "output_broker_names"
CLOSE_SECONDS = 5.0
MAX_SENDERS = 64
_BROKERS = "brokers"


@dataclass(frozen=True)
class Broker:
    name: str
    webhook: Webhook


class OutputBroker(FlowUnit):
    """sync: `process` sends, on its worker thread, and waits for answers and retries. async: a thread for each
    webhook sends from a queue; all sessions that name the same webhook share it."""

    def open(self, config: Configuration) -> Returned:
        self._mode = config.get_string("mode") or SYNC
        if self._mode not in (SYNC, ASYNC):
            words = f"mode '{self._mode}' is unknown, use {SYNC} or {ASYNC}"
            return Status(UnitStatusCode.STATUS_BADCONF, words)
        self._queue_size = max(1, config.get_int("queue_size", QUEUE_SIZE))
        self._policy = RetryPolicy(
            count_limit=config.get_int("retry_count_limit", RETRY_COUNT_LIMIT),
            interval_base=max(0, config.get_int("retry_interval_base_ms", RETRY_INTERVAL_BASE_MS)),
            interval_increment=max(0, config.get_int("retry_interval_increment_ms", RETRY_INTERVAL_INCREMENT_MS)),
            interval_limit=max(0, config.get_int("retry_interval_limit_ms", RETRY_INTERVAL_LIMIT_MS)),
        )
        self._stop = threading.Event()
        self._senders: dict[Webhook, QueuedSender] = {}
        self._lock = threading.Lock()
        return UnitStatusCode.STATUS_SUCCESS

    def data_pre(self, data_ctx: DataContext) -> Returned:
        whole = data_ctx.get_session_context().get_session_config()
        text = data_ctx.get_session_config().get_string("config") or whole.get_string("config")
        try:
            data_ctx.set_private(_BROKERS, brokers_of(text))
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, f"session configuration, key config: {error}")
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        buffers = data_ctx.input("in_output_info")
        assert buffers is not None
        brokers: dict[str, Broker] = data_ctx.get_private(_BROKERS)
        for buffer in buffers:
            body = buffer.as_bytes()
            for broker in _chosen(brokers, buffer._metas.get(NAMES_META, "")):
                self._send(broker, body)
        return UnitStatusCode.STATUS_SUCCESS

    def close(self) -> Returned:
        """Sends what is queued, for a bounded time."""
        with self._lock:
            senders = list(self._senders.values())
        self._stop.set()
        for sender in senders:
            sender.close(CLOSE_SECONDS)
        return UnitStatusCode.STATUS_SUCCESS

    def _send(self, broker: Broker, body: bytes) -> None:
        if self._mode == SYNC:
            send_with_retries(broker.webhook, body, self._policy, self._stop)
            return
        with self._lock:
            sender = self._sender(broker.webhook)
            if sender is not None:
                sender.put(body)
                return
        log.warning("output_broker: %d webhooks are busy, dropped %d bytes", MAX_SENDERS, len(body))

    def _sender(self, webhook: Webhook) -> QueuedSender | None:
        """With the lock held."""
        sender = self._senders.get(webhook)
        if sender is None:
            if len(self._senders) >= MAX_SENDERS:
                self._senders = {key: each for key, each in self._senders.items() if not each.is_idle}
            if len(self._senders) >= MAX_SENDERS:
                return None
            sender = self._senders[webhook] = QueuedSender(webhook, self._policy, self._queue_size)
        return sender


def brokers_of(text: str) -> dict[str, Broker]:
    """From `{"brokers": [{"type", "name", "cfg"}]}`, by name.

    Raises: ValueError, which says what is wrong.
    """
    if not text:
        raise ValueError('it is missing: set it to {"brokers":[{"type":"webhook","name":"...","cfg":"..."}]}')
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from None
    listed = found.get("brokers") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError("it has no list 'brokers' with a broker in it")
    brokers: dict[str, Broker] = {}
    for each in listed:
        if not isinstance(each, dict) or not all(
            isinstance(each.get(key), str) for key in ("type", "name", "cfg")
        ):
            raise ValueError("a broker has the members type, name and cfg, all of them texts")
        if each["type"] != "webhook":
            raise ValueError(f"broker '{each['name']}': type '{each['type']}' is unknown, webhook is there")
        brokers[each["name"]] = Broker(each["name"], webhook_of(each["cfg"]))
    return brokers


def _chosen(brokers: dict[str, Broker], names: object) -> list[Broker]:
    """Those that the buffer's meta names ("a|b"); all of them without it."""
    if not names:
        return list(brokers.values())
    chosen = []
    for name in str(names).split("|"):
        if name in brokers:
            chosen.append(brokers[name])
        else:
            log.warning("output_broker: no broker is called '%s', there is %s", name, ", ".join(brokers))
    return chosen
