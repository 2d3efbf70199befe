"""Refused: flags that exist elsewhere, or will exist here, and do not exist yet.

They are refused by name, because a server that ignores a flag serves something else than was meant.
"""

UNSUPPORTED_FLAGS = frozenset(
    {
        # announced, not in this version
        "--acme-dir",
        "--disable-ns-isolation",
        "--ebpf-require-static-region-analysis",
        "--enable-netns-isolation",
        "--h2-connection-window-kb",
        "--h2-stream-window-kb",
        "--manual",
        "--require-signature",
        "--script-code-size-limit-kb",
        "--sqpoll-idle-ms",
        # of related projects
        "--adapt-caddyfile",
        "--caddy",
        "--caddy-compile",
        "--debug-proxy-protocol-disable-fast-path",
        "--expose-filesystem",
        "--iroh-disable-networking",
        "--iroh-proxy",
        "--iroh-secret-key",
        "--plugin",
        "--plugin-dir",
    }
)
