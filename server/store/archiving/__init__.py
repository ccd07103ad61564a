"""Events of jobs deleted long ago, moved into files: what may go, the file, how events leave the log, and the
check of both together.

May import the rest of the store.
"""
