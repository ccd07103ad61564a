"""The domain: what a job is, what may be asked of it, what happened to it, and which word says so on the wire.

Pure: values in, values out. No clock, no database, no socket; it imports nothing else of this program.
"""
