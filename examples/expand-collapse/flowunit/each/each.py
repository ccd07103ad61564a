import json

import _flowunit as modelbox


class Each(modelbox.FlowUnit):
    def process(self, data_context):
        # what this call pushes is a stream of its own, one level down
        for element in json.loads(str(data_context.input("in_1")[0])):
            data_context.output("out_1").push_back(json.dumps(element))
        return modelbox.Status.StatusCode.STATUS_SUCCESS
