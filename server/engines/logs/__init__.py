"""The engines' logs: files that an engine writes and rotates itself, and what others do with them.

Decision 16 says why they are so. `files` knows names and places; `writer` with `stragglers` and `changes` is the
engine's side, `guard` the host's; `reader` with `lines` reads them again for the API; `retention` removes.
"""
