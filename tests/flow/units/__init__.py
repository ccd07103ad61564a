"""The built-in units. Spec 7.2, 7.4, 7.6 and 7.7 have modules with their numbers; 7.3 is `tests/flow/http`."""
