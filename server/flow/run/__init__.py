"""The scheduler: sessions, streams and batches through the nodes of a plan (spec 4).

All bookkeeping happens under one lock of the flow, held for microseconds; unit code runs on worker threads
without it. May import `unitapi` and the flow package's values, nothing of HTTP.
"""
