import numpy as np

import _flowunit as modelbox


class Points(modelbox.FlowUnit):
    def open(self, config):
        session = self.create_external_data()
        points = session.create_buffer_list()
        for point in np.random.default_rng(1).random((config.get_int("count", 100), 2)):
            points.push_back(point)
        session.send(points)
        session.close()
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        for point in data_context.external():
            data_context.output("out_1").push_back(point)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
