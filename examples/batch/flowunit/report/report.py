import _flowunit as modelbox


class Report(modelbox.FlowUnit):
    def data_pre(self, data_context):
        data_context.set_private("seen", [])
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        for buffer in data_context.input("in_1"):
            data_context.get_private("seen").append((buffer.as_object()[0], buffer.get("batch")))
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def data_post(self, data_context):
        distances, batches = zip(*data_context.get_private("seen"), strict=True)
        mean = sum(distances) / len(distances)
        print(f"{len(distances)} points, mean distance {mean:.3f}, largest batch {max(batches)}", flush=True)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
