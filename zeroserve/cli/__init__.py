"""Command line: one file a command. Each parses, calls one function below, and prints."""
