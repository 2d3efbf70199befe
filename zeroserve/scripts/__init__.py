"""Scripts: C sources in, eBPF objects out; and what can be done with them without a server."""
