"""A flow that a program builds, feeds and reads: no server, no graph file, no HTTP."""

import modelbox


def shout(context):
    for text in context.input("text"):
        context.output("loud").push_back(str(text).upper() + "!")
    return modelbox.Status.StatusCode.STATUS_SUCCESS


def main():
    graph = modelbox.FlowGraphDesc()
    words = graph.add_input("words")
    loud = graph.add_function(shout, ["text"], ["loud"], words)
    graph.add_output("result", loud)

    flow = modelbox.Flow()
    for step in (flow.init(graph), flow.start_run()):
        if not step:
            raise SystemExit(step.wrap_errormsgs())

    session = flow.create_stream_io()
    for word in ("hello", "from", "python"):
        session.send("words", word)
    session.close_input()
    while (result := session.recv("result")) is not None:
        print(result)
    flow.stop()


if __name__ == "__main__":
    main()
