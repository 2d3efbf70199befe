"""Dev: a folder served on this machine; every change is packed, loaded and shown."""
