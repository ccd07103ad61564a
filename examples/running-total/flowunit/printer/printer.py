import _flowunit as modelbox


class Printer(modelbox.FlowUnit):
    def process(self, data_context):
        for text in data_context.input("in_1"):
            print(text, flush=True)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
