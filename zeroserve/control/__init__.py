"""Control: the life of a server process, from its sockets to its last signal, and how others talk
to it.
"""
