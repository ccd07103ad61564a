"""What keeps a process from starting."""


class StartError(Exception):
    """One line for the person at the terminal: what is wrong, where, and what to do. The exit code is 2."""
