"""Trial: a site's scripts tried without a server: cases with expectations, and explanations."""
