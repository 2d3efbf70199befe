"""Certificates, keys and ECH keys on the operator's side: encrypted files in, encrypted files out.

Plain bytes exist in memory only, in values that do not show them.
"""
