"""What a flow writes about itself when `profile.performance` or `profile.trace` ask for it (spec 1.4, 9). Stands
between nodes and their units: it knows `flow.run`, which knows nothing of it."""
