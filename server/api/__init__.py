"""The REST API: checks a request, appends a command, waits (bounded) for its outcome, answers.

It reads the projection and nothing else, and never touches an engine. It may import the store and the domain.
"""
