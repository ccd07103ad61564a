import json

import _flowunit as modelbox


class Together(modelbox.FlowUnit):
    def process(self, data_context):
        # collapse_all is true unless said otherwise: the whole stream in one call, one buffer out
        numbers = [int(str(buffer)) for buffer in data_context.input("in_1")]
        data_context.output("out_1").push_back(json.dumps(numbers))
        return modelbox.Status.StatusCode.STATUS_SUCCESS
