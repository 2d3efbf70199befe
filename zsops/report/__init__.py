"""What a run tells: events, and how a terminal, a pipe and a program see them."""
