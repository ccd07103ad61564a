"""What schemathesis needs to know of this server, for tests/e2e/test_schemathesis.py."""
