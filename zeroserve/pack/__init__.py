"""Pack: a folder in, a tar out that is the same to the byte on every machine.

Never loads the engine.
"""
