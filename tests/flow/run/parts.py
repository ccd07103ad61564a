"""Pieces of flows that several modules of tests use: units, and what they were called with."""

from collections.abc import Callable
from typing import Any

from server.flow.description import ConditionType
from server.flow.unitapi import Buffer, DataContext, DataMeta, FlowUnit, UnitStatusCode
from tests.flow.run.programs import COLLAPSE, EXPAND, SUCCESS, Method, Unit, passes, push, texts, unit


class Log:
    """What each call got."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def passes(self, context: DataContext) -> UnitStatusCode:
        self.calls.append(texts(context))
        return passes(context)

    def glues(self, context: DataContext) -> UnitStatusCode:
        self.calls.append(texts(context))
        return push(context, "+".join(texts(context)))


def letters(context: DataContext) -> UnitStatusCode:
    """Each letter of each text."""
    for text in texts(context):
        push(context, *text)
    return SUCCESS


def split(process: Method = letters, **more: Any) -> Unit:
    return unit("split", process, normal=True, **EXPAND, **more)


def glue(process: Method | None = None, **more: Any) -> Unit:
    return unit("glue", process or Log().glues, normal=True, **COLLAPSE, **more)


def returns(status: object) -> Method:
    """Passes its input on, then returns `status`."""

    def process(context: DataContext) -> object:
        passes(context)
        return status

    return process


def notes(log: list[str], word: str, status: object = SUCCESS) -> Method:
    """For data_pre and data_post."""

    def method(context: DataContext) -> object:
        log.append(word)
        return status

    return method


def spoils(text: str) -> Unit:
    """Sets an error on the buffers with this text."""

    def process(context: DataContext) -> UnitStatusCode:
        for each in texts(context):
            buffer = Buffer(None, each)
            if each == text:
                buffer.set_error("Spoilt", f"{each} is bad")
            push(context, buffer)
        return SUCCESS

    return unit("spoil", process, normal=True)


def joins(context: DataContext) -> UnitStatusCode:
    """Both inputs of each position as one text."""
    both = zip(texts(context), texts(context, "in_2"), strict=True)
    return push(context, *(one + two for one, two in both))


def meta_of(**values: str) -> DataMeta:
    meta = DataMeta()
    for key, value in values.items():
        meta.set_private_string(key, value)
    return meta


def reads_who(context: DataContext) -> UnitStatusCode:
    """For each input the stream meta `who`, "nobody" without it."""
    meta = context.get_input_meta("in_1")
    who = meta._values.get("who", "nobody") if meta is not None else "nobody"
    return push(context, *(who for _ in texts(context)))


def chooses(context: DataContext) -> UnitStatusCode:
    """For a condition: texts before "b" leave by `yes`."""
    (text,) = texts(context)
    return push(context, text, port="yes" if text < "b" else "no")


def condition(process: Method = chooses, name: str = "choose", **more: Any) -> Unit:
    kind: dict[str, Any] = {"condition": ConditionType.IF_ELSE, "outputs": ("yes", "no"), "normal": True}
    return unit(name, process, **{**kind, **more})


CHOICE = """in[type=input]; out[type=output]; choose[flowunit=choose, device=cpu]; p[flowunit=p, device=cpu]
    in -> choose:in_1; choose:yes -> p:in_1; choose:no -> p:in_1; p:out_1 -> out"""
"""A condition whose branches meet at once, at `p`."""


def loop_flow(log: Log) -> tuple[str, list[Unit]]:
    """Goes round until there are three x."""

    def turns(context: DataContext) -> UnitStatusCode:
        log.calls.append(texts(context))
        return push(context, *texts(context), port="done" if texts(context)[0].endswith("xxx") else "again")

    def adds(context: DataContext) -> UnitStatusCode:
        return push(context, *(f"{text}x" for text in texts(context)))

    units = [
        unit("turn", turns, normal=True, outputs=("again", "done"), condition=ConditionType.LOOP),
        unit("add", adds, normal=True),
    ]
    dot = """in[type=input]; out[type=output]; turn[flowunit=turn, device=cpu]; add[flowunit=add, device=cpu];
        in -> turn:in_1; turn:again -> add:in_1; add:out_1 -> turn:in_1; turn:done -> out"""
    return dot, units


def feeds_on(context: DataContext) -> UnitStatusCode:
    return push(context, *(context.external() or ()))


def fed(
    feed: Callable[[FlowUnit], object], end: Method, process: Method = feeds_on, **more: Any
) -> tuple[str, list[Unit]]:
    """A flow from a source unit, which `feed` makes send at its open, to `end`. `more`: of `end`."""
    made: list[FlowUnit] = []

    def opened(config: object) -> UnitStatusCode:
        feed(made[0])
        return SUCCESS

    source, maker = unit("source", process, inputs=(), opened=opened)

    def keep() -> FlowUnit:
        made.append(maker())
        return made[0]

    dot = "source[flowunit=source, device=cpu]; end[flowunit=end, device=cpu]; source:out_1 -> end:in_1"
    return dot, [(source, keep), unit("end", end, outputs=(), **more)]
