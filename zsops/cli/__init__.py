"""The command line: parse, call the fleet, print. No decision is made here."""
