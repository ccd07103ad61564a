"""video_input: sessions whose stream meta `source_url` is an address (spec 7.4)."""

import threading

from server.flow.unitapi import Configuration, DataContext, DataMeta, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned


class VideoInput(FlowUnit):
    quick = True

    def open(self, config: Configuration) -> Returned:
        self._url = config.get_string("source_url")
        if not self._url:
            return Status(UnitStatusCode.STATUS_BADCONF, "option source_url is required: the address of a video")
        self._left = max(1, config.get_int("repeat", 1))
        self._closed = threading.Event()
        # a thread: of more sessions than the external queue holds, the first must be on their way before the last
        threading.Thread(target=self._feed, name="video-input", daemon=True).start()
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        dummies, out = data_ctx.external(), data_ctx.output("out_video_url")
        assert dummies is not None
        assert out is not None
        meta = DataMeta()
        meta.set_private_string("source_url", self._url)
        data_ctx.set_output_meta("out_video_url", meta)
        for dummy in dummies:
            out.push_back(dummy)
        return UnitStatusCode.STATUS_SUCCESS

    def close(self) -> Returned:
        self._closed.set()
        return UnitStatusCode.STATUS_SUCCESS

    def _feed(self) -> None:
        for _ in range(self._left):
            external = self.create_external_data()
            assert external is not None
            dummy = external.create_buffer_list()
            dummy.push_back(b"\0")
            is_sent = external.send(dummy)
            external.close()
            if not is_sent or self._closed.is_set():
                return
