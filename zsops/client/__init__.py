"""Questions to a web server, as both sides ask them: the host's health check, and the operator's
look from outside. Knows neither side; `ssl` and the standard library's sockets, framing of its own
for HTTP/1.1, `h2` for HTTP/2.
"""
