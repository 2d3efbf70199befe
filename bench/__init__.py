"""Our server beside nginx and Caddy, in one run, on the reader's machine. `python -m bench`."""
