"""buff_meta_mapping: copies a meta of each buffer to another name, by a table of values (spec 7.7)."""

from server.flow import values
from server.flow.unitapi import Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned

Scalar = str | int | float | bool


class BuffMetaMapping(FlowUnit):
    quick = True

    def open(self, config: Configuration) -> Returned:
        self._source, self._target = config.get_string("src_meta"), config.get_string("dest_meta")
        for name, value in (("src_meta", self._source), ("dest_meta", self._target)):
            if not value:
                return Status(UnitStatusCode.STATUS_BADCONF, f"option {name} is required: the name of a meta")
        try:
            self._rules = dict(_rule(text) for text in _rule_texts(config))
        except ValueError as error:
            return Status(UnitStatusCode.STATUS_BADCONF, str(error))
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        buffers, out = data_ctx.input("in_data"), data_ctx.output("out_data")
        assert buffers is not None
        assert out is not None
        for buffer in buffers:
            out.push_back(buffer)
            if self._source not in buffer._metas:
                continue
            try:
                mapped = self._mapped(buffer.get(self._source))
            except ValueError as error:
                return Status(UnitStatusCode.STATUS_FAULT, str(error))
            copy = out.back()
            assert copy is not None
            copy.set(self._target, mapped)
        return UnitStatusCode.STATUS_SUCCESS

    def _mapped(self, value: object) -> object:
        """Raises: ValueError, when the rule's value does not convert to the type of `value`."""
        if not isinstance(value, Scalar):
            return value
        for text, replacement in self._rules.items():
            if _converted(text, value) != value:
                continue
            converted = _converted(replacement, value)
            if converted is None:
                words = f"rule '{text}={replacement}': '{replacement}' is no {type(value).__name__}"
                raise ValueError(f"{words}, which the meta {self._source} is")
            return converted
        return value


def _rule_texts(config: Configuration) -> list[str]:
    """DOT splits the option at its commas (spec 2.1); inner quotes keep them, so split once more."""
    return [part for text in config.get_string_list("rules") for part in text.split(",") if part.strip()]


def _rule(text: str) -> tuple[str, str]:
    found, equals, replacement = text.partition("=")
    if not equals or not found.strip() or "=" in replacement:
        raise ValueError(f"option rules: '{text}' is no rule, write rules as found=replacement,found=replacement")
    return found.strip(), replacement.strip()


def _converted(text: str, like: Scalar) -> Scalar | None:
    """`text` as the type of `like`; None, when it is no such value."""
    if isinstance(like, str):
        return text
    if isinstance(like, bool):
        return values.parse_bool(text)
    if isinstance(like, int):
        return values.parse_int(text)
    return values.parse_float(text)
