"""The body of a request is a name; the reply is the node's `greeting` with that name in it."""

import _flowunit as modelbox


class Greeter(modelbox.FlowUnit):
    def open(self, config):
        self.greeting = config.get_string("greeting", "Hello {name}!")
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        replies = data_context.output("out_reply")
        for request in data_context.input("in_request"):
            try:
                reply = self.greeting.format(name=str(request))
            except KeyError as word:
                modelbox.error(f"the greeting {self.greeting!r} has a word {word}; there is only 'name'")
                raise
            replies.push_back(self.create_buffer(f"{reply}\n".encode()))
        return modelbox.Status.StatusCode.STATUS_SUCCESS
