"""Ways to host an engine process: one process a job, that runs one flow and knows nothing of the server.

`driver` is the interface that the runner sees, `local` the first driver. The local driver talks to an engine host
(`host`), which preloads the flow runtime and forks engines (`engine`). May import server.jobs and server.flow;
never the store, the runner or the API.
"""
