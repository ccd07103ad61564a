import _flowunit as modelbox


class IsBig(modelbox.FlowUnit):
    def open(self, config):
        self.limit = config.get_int("limit", 10)
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        # a condition unit gets one buffer a call, and sends it to exactly one of its outputs
        number = data_context.input("in_1")[0]
        branch = "big" if int(str(number)) > self.limit else "small"
        data_context.output(branch).push_back(number)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
