"""The parts of the demonstration. `deploy/demo.py` plays `acts` on a `stage`."""
