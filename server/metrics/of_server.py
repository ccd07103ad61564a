"""What is told of the server itself."""

from server.metrics.family import Family, Kind

BUILD = Family("modelbox_build_info", Kind.GAUGE, "1; which version answers", ("version",))
JOBS = Family("modelbox_jobs", Kind.GAUGE, "Live jobs by status", ("status",))
JOBS_LEFT_OUT = Family(
    "modelbox_jobs_left_out",
    Kind.GAUGE,
    "Jobs that have no metrics of their own, being more than metrics.max_jobs",
)
NODES_LEFT_OUT = Family(
    "modelbox_nodes_left_out", Kind.GAUGE, "Nodes that have none, being more than metrics.max_nodes"
)

API_REQUESTS = Family(
    "modelbox_api_requests_total",
    Kind.COUNTER,
    "Requests that the API has answered",
    ("method", "route", "status"),
)
API_SECONDS = Family(
    "modelbox_api_request_seconds",
    Kind.HISTOGRAM,
    "How long its answers took, waits for a job or an event included, event streams not",
    ("method", "route"),
)
API_STREAMS = Family("modelbox_api_event_streams", Kind.GAUGE, "Event streams that are open")
COMMANDS = Family(
    "modelbox_command_seconds",
    Kind.HISTOGRAM,
    "From a command's arrival until it is on record or refused; what comes of it is not waited for",
    ("command",),
)

DATABASE_UP = Family("modelbox_database_up", Kind.GAUGE, "1 when the database could be read just now")
DATABASE_WRITABLE = Family("modelbox_database_writable", Kind.GAUGE, "1 when it could be written, too")
DATABASE_SECONDS = Family(
    "modelbox_database_call_seconds",
    Kind.HISTOGRAM,
    "Time of calls to the database by their kind: read, ask (one statement), write (a batch with its commit)",
    ("process", "call"),
)
DATABASE_WAITING = Family(
    "modelbox_database_waiting_writes", Kind.GAUGE, "Commands and events that wait to be written", ("process",)
)
LOG_POSITION = Family("modelbox_log_position", Kind.GAUGE, "Of the event log's last event")
FOLLOWER_POSITION = Family(
    "modelbox_follower_position",
    Kind.GAUGE,
    "Up to which event a process knows the log",
    ("process", "follower"),
)
FOLLOWER_LAG = Family(
    "modelbox_follower_lag_events",
    Kind.GAUGE,
    "Events that it does not know yet",
    ("process", "follower"),
)
LEADER_UP = Family("modelbox_leader_up", Kind.GAUGE, "1 while a runner leads")
LEADER_EPOCH = Family("modelbox_leader_epoch", Kind.GAUGE, "The leader's number; grows with each new one")
LEADER_SINCE = Family(
    "modelbox_leader_since_timestamp_seconds", Kind.GAUGE, "When it began to lead, in Unix time", ("host",)
)

RUNNER_UP = Family(
    "modelbox_runner_up",
    Kind.GAUGE,
    "1 when the leader runs on this machine and has answered; else what it tells is missing",
)
RUNNER_EPOCH = Family(
    "modelbox_runner_epoch", Kind.GAUGE, "The number under which this runner leads; an old one leads no more"
)
ENGINES = Family("modelbox_engines", Kind.GAUGE, "Engines that the runner holds")
ENGINES_SILENT = Family("modelbox_engines_silent", Kind.GAUGE, "Those that did not answer within this scrape")
ENGINES_WAITING = Family(
    "modelbox_engines_waiting",
    Kind.GAUGE,
    "Jobs that wait until fewer engines than engine.max_starting are starting",
)
EVENTS = Family(
    "modelbox_runner_events_total", Kind.COUNTER, "What the runner has seen and put on record, by event", ("type",)
)

PROCESS_CPU = Family(
    "modelbox_process_cpu_seconds_total", Kind.COUNTER, "Processor time that it has taken", ("process",)
)
PROCESS_MEMORY = Family("modelbox_process_memory_bytes", Kind.GAUGE, "Its resident memory", ("process",))
PROCESS_FDS = Family("modelbox_process_open_fds", Kind.GAUGE, "Its file descriptors", ("process",))
PROCESS_START = Family(
    "modelbox_process_start_timestamp_seconds", Kind.GAUGE, "When it was started, in Unix time", ("process",)
)
SCRAPE_SECONDS = Family(
    "modelbox_scrape_seconds",
    Kind.GAUGE,
    "How long this scrape took to ask the database, the runner, and the engines",
    ("part",),
)
