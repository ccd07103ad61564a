import numpy as np

import _flowunit as modelbox


class Distance(modelbox.FlowUnit):
    """A normal unit: a call gets up to batch_size buffers, of any streams, and makes as many."""

    def process(self, data_context):
        points = np.stack([np.asarray(buffer) for buffer in data_context.input("in_1")])
        for distance in np.linalg.norm(points, axis=1):
            made = self.create_buffer(np.array([distance]))
            made.set("batch", len(points))
            data_context.output("out_1").push_back(made)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
