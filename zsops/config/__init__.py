"""The wish: `zsops.yaml` in, frozen models out. No dict or YAML node goes further than this."""
