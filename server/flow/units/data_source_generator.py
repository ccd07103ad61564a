"""data_source_generator: one buffer with the node's own attributes as JSON (spec 7.4)."""

import msgspec

from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.unitapi.flowunit import Returned
from server.flow.values import split_list

NOT_DATA = frozenset(
    {
        "source_type",
        "type",
        "flowunit",
        "device",
        "deviceid",
        "label",
        "batch_size",
        "queue_size",
        "queue_size_event",
        "queue_size_external",
    }
)


class DataSourceGenerator(FlowUnit):
    quick = True

    def open(self, config: Configuration) -> Returned:
        source_type = config.get_string("source_type")
        if not source_type:
            words = "option source_type is required: it tells data_source_parser what the data is"
            return Status(UnitStatusCode.STATUS_BADCONF, words)
        # a value with commas has become a list (spec 2.1)
        data = {key: ",".join(split_list(value)) for key, value in config._values.items() if key not in NOT_DATA}
        if not data:
            words = "the node has no attribute that is data: set for instance url"
            return Status(UnitStatusCode.STATUS_BADCONF, words)
        external = self.create_external_data()
        assert external is not None
        buffer = Buffer(self.get_bind_device(), msgspec.json.encode(data).decode())
        buffer.set("source_type", source_type)
        buffers = external.create_buffer_list()
        buffers.push_back(buffer)
        external.send(buffers)
        external.close()
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        sent, out = data_ctx.external(), data_ctx.output("out_data")
        assert sent is not None
        assert out is not None
        for buffer in sent:
            out.push_back(buffer)
        return UnitStatusCode.STATUS_SUCCESS
