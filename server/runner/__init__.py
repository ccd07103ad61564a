"""Makes the world agree with the log: starts, stops and adopts engines, and writes down what became of them.

One runner leads per database. It may import the store, the engine drivers and the domain.
"""
