"""What a graph amounts to, found out without running it: its problems, its plan, its picture.

Graphs of strangers are looked at in a process of their own (`child`), which `confined` starts, bounds and ends.
May import: `server.flow` but its runtime, `server.process`.
"""
