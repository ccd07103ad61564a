"""The commands of the command line that speak to a server: thin, each with its output. See docs/cli.md."""
