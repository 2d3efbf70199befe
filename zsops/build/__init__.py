"""Sources in, a deterministic tarball out."""
