"""A persistent job server for dataflow graphs."""
