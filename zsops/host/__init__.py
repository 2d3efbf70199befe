"""The on-host half: a sans-I/O deploy protocol, its effects, recovery and the framed session.

Imports the standard library and `zeroserve`'s pure parts only, so that `zsops-host` starts fast
and runs where the operator's dependencies are not installed.
"""
