import _flowunit as modelbox


class Numbers(modelbox.FlowUnit):
    """A unit without inputs: it starts sessions of its own."""

    def open(self, config):
        session = self.create_external_data()
        numbers = session.create_buffer_list()
        for number in range(1, config.get_int("count", 10) + 1):
            numbers.push_back(str(number))
        session.send(numbers)
        # without this the session, and so the flow, would never end
        session.close()
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        for number in data_context.external():
            data_context.output("out_1").push_back(number)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
