"""base64_decoder: text to the bytes that it stands for (spec 7.6)."""

import base64
import binascii

import msgspec

from server.flow.unitapi import Buffer, BufferKind, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned

RAW, JSON = "raw", "json"
ERROR_CODE = "base64_decoder.ProcessError"
_BLANKS = b" \t\r\n"


class Base64Decoder(FlowUnit):
    """A text that cannot be decoded makes an error of its own position. In ModelBox it fails all buffers of the
    call, which are other clients' requests."""

    def open(self, config: Configuration) -> Returned:
        self._format = config.get_string("data_format") or RAW
        self._key = config.get_string("key")
        if self._format not in (RAW, JSON):
            words = f"data_format '{self._format}' is unknown, use {RAW} or {JSON}"
            return Status(UnitStatusCode.STATUS_BADCONF, words)
        if self._format == JSON and not self._key:
            words = "data_format is json: set key to the name of the member that holds the text"
            return Status(UnitStatusCode.STATUS_BADCONF, words)
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        texts, out = data_ctx.input("in_data"), data_ctx.output("out_data")
        assert texts is not None
        assert out is not None
        for text in texts:
            out.push_back(self._decoded(text))
        return UnitStatusCode.STATUS_SUCCESS

    def _decoded(self, text: Buffer) -> Buffer:
        decoded = Buffer(self.get_bind_device())
        try:
            decoded._data = decode(self._text_of(text.as_bytes()))
        except ValueError as error:
            decoded.set_error(ERROR_CODE, str(error))
        decoded._kind = BufferKind.RAW
        return decoded

    def _text_of(self, data: bytes) -> bytes:
        if self._format == RAW:
            return data
        try:
            document = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"the input is no JSON: {error}") from None
        text = document.get(self._key) if isinstance(document, dict) else None
        if not isinstance(text, str):
            raise ValueError(f"the input has no text under the key '{self._key}'")
        return text.encode()


def decode(text: bytes) -> bytes:
    """Line breaks and blanks are skipped, as encoders fold long lines; padding must be there.

    Raises: ValueError, when `text` is empty or is no base64.
    """
    compact = text.translate(None, _BLANKS)
    if not compact:
        raise ValueError("the input is empty, it must be base64 text")
    try:
        return base64.b64decode(compact, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the input is no base64: {error}") from None
