"""The flow package as engines run it."""
