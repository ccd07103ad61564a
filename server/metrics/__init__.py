"""What is measured, by name, and how it looks to Prometheus. The API and the runner fill it in; it imports nothing
of theirs, and keeps no state of its own."""
