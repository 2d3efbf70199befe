"""TLS material: certificates and keys, made and checked in Python. No connection passes here."""
