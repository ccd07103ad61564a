"""Units that users write in Python: finding their class, loading it, making one per node (spec 5.1, 5.2).

May import `server.flow.unitapi` and what lies below it.
"""
