"""What one does with flows from a shell: run, check, show, list units, make skeletons.

A file a command, each with one function that prints and returns the exit code. No option parsing here: the
command line is in `server/cli_flow.py`. May import anything of `server.flow`.
"""
