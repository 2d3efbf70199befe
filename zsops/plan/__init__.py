"""Wish and facts in, steps out. Pure: no network, no clock, no process; values in, values out."""
