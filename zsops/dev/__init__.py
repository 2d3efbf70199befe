"""A site of the project served on this machine while it is worked on."""
