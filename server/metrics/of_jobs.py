"""What is told of each job, its nodes and its HTTP units. Their labels are those of live jobs only.

The label is `job_id`, since Prometheus itself has one called `job`.
"""

from server.metrics.family import Family, Kind

OF_JOB = ("job_id",)
OF_NODE = ("job_id", "node")

JOB_STATUS = Family(
    "modelbox_job_status", Kind.GAUGE, "1 for the job's status at this moment", ("job_id", "status")
)
JOB_UPTIME = Family(
    "modelbox_job_uptime_seconds", Kind.GAUGE, "For how long its flow has been ready; only while it is", OF_JOB
)
JOB_RESTARTS = Family(
    "modelbox_job_restarts_total", Kind.COUNTER, "How often it was started again, whatever the reason", OF_JOB
)
JOB_FAILURES = Family(
    "modelbox_job_failures", Kind.GAUGE, "Failures in a row; 0 once it has run well for a while", OF_JOB
)
JOB_STALLED = Family(
    "modelbox_job_stalled", Kind.GAUGE, "1 while its flow has input and makes no progress", OF_JOB
)

JOB_CPU = Family(
    "modelbox_job_cpu_seconds_total", Kind.COUNTER, "Processor time of the engine and all that it started", OF_JOB
)
JOB_MEMORY = Family(
    "modelbox_job_memory_bytes",
    Kind.GAUGE,
    "Memory of these processes that they share with nobody; a few minutes old where it hardly changes",
    OF_JOB,
)
JOB_FDS = Family("modelbox_job_open_fds", Kind.GAUGE, "File descriptors that these processes hold", OF_JOB)
JOB_THREADS = Family("modelbox_job_threads", Kind.GAUGE, "Threads of these processes", OF_JOB)
JOB_PROCESSES = Family("modelbox_job_processes", Kind.GAUGE, "The engine and all that it started", OF_JOB)
JOB_ANSWER_AGE = Family(
    "modelbox_job_answer_age_seconds",
    Kind.GAUGE,
    "How old is what the engine said of its nodes; more than a few seconds when it does not answer",
    OF_JOB,
)

NODE_IN = Family(
    "modelbox_node_input_buffers_total", Kind.COUNTER, "Buffers that came to its input ports", OF_NODE
)
NODE_OUT = Family("modelbox_node_output_buffers_total", Kind.COUNTER, "Buffers that it sent on", OF_NODE)
NODE_QUEUED = Family("modelbox_node_queued_buffers", Kind.GAUGE, "What waits at its input ports", OF_NODE)
NODE_ERRORS = Family("modelbox_node_errors_total", Kind.COUNTER, "Calls of its unit that failed", OF_NODE)
NODE_CALLS = Family("modelbox_node_call_seconds", Kind.HISTOGRAM, "Durations of its unit's calls", OF_NODE)

HTTP_REQUESTS = Family(
    "modelbox_http_requests_total",
    Kind.COUNTER,
    "Requests that a receive unit's flow has answered; status 0 when a unit chooses more than 32 different ones",
    (*OF_NODE, "status"),
)
HTTP_SECONDS = Family(
    "modelbox_http_request_seconds", Kind.HISTOGRAM, "From the head of a request to its answer", OF_NODE
)
HTTP_IN_FLIGHT = Family("modelbox_http_requests_in_flight", Kind.GAUGE, "Requests that are in the flow", OF_NODE)
