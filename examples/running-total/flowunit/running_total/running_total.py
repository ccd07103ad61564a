import _flowunit as modelbox


class RunningTotal(modelbox.FlowUnit):
    """A stream unit. Its state is in the context, which belongs to one stream from data_pre to data_post: in
    `self`, the streams of all sessions would share it."""

    def data_pre(self, data_context):
        data_context.set_private_int("total", 0)
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        total = data_context.get_private_int("total")
        for number in data_context.input("in_1"):
            total += int(str(number))
            data_context.output("out_1").push_back(f"{number} makes {total}")
        data_context.set_private_int("total", total)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
