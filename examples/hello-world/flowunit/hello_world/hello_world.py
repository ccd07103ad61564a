"""{"msg": "hello world!"} becomes Hello World! and the time, and a zero byte, as in ModelBox's demo."""

import json
import time

import _flowunit as modelbox


class HelloWorld(modelbox.FlowUnit):
    def process(self, data_context):
        greetings = data_context.output("out_data")
        for buffer in data_context.input("in_data"):
            message = json.loads(str(buffer))["msg"].title()
            greeting = f"{message} {time.asctime()}\0"
            greetings.push_back(self.create_buffer(greeting.encode()))
        return modelbox.Status.StatusCode.STATUS_SUCCESS
