import _flowunit as modelbox


class Square(modelbox.FlowUnit):
    def process(self, data_context):
        # a normal unit: elements of many requests may be in one call, and come back to the right one
        for number in data_context.input("in_1"):
            data_context.output("out_1").push_back(str(int(str(number)) ** 2))
        return modelbox.Status.StatusCode.STATUS_SUCCESS
