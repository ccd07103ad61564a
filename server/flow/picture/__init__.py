"""Graphs as pictures: what is drawn (`sketch`), where it goes (`arrange`), and as what (`svg`).

Pure, and the same for the same graph. May import: the values of `server.flow` and its graph reader.
"""
