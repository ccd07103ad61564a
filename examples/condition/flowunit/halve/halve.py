import _flowunit as modelbox


class Halve(modelbox.FlowUnit):
    def process(self, data_context):
        for number in data_context.input("in_1"):
            data_context.output("out_1").push_back(str(int(str(number)) // 2))
        return modelbox.Status.StatusCode.STATUS_SUCCESS
