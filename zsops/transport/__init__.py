"""Ways to reach a host's `zsops-host`: this machine, or a fake host in memory."""
