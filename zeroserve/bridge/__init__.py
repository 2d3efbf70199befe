"""Bridge: the only way from Python to the engine."""
