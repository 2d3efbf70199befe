"""zeroserve: an HTTPS server whose whole site is one tarball.

Python decides, the Rust engine serves.

This module stays empty of imports: the long-lived daemon pays for everything that is loaded here.
"""

__version__ = "0.1.0"
