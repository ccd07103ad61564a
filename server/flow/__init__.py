"""The dataflow engine: ModelBox graphs in, a running flow out.

Usable alone. It knows no job, no database and no server, and imports nothing of them.
"""
