"""The HTTP front of a flow: requests become sessions, what reaches the reply unit becomes the response (spec 7.3).

Runs on the event loop; the units meet it through `services` only. Sanic is imported by `app` and `protocol`.
"""
