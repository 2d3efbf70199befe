"""Errors for people: one tree, sorted by whose fault it is; one table that explains every code.

Nothing here prints. `cli` turns an error into two lines on stderr and into its exit code;
`docs/errors.md` is made from `EXPLANATIONS`. The daemon imports this module, so it imports nothing
itself.
"""

# ruff: noqa: N818  # they are named after what happened, which reads better in `except`

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_BUG = 70

EXPLANATIONS: dict[str, str] = {
    # the tarball
    "site-missing": (
        "The tarball that was named does not exist. A relative path is resolved from the "
        "directory the server was started in, also at a reload."
    ),
    "site-unreadable": (
        "The tarball exists and could not be opened or read: permissions, or an error of the "
        "disk. The text of the operating system says which."
    ),
    "site-is-directory": (
        "A directory was given where a tarball is wanted. A directory of files is packed first; "
        "a release directory is given to `--release`."
    ),
    "site-empty": (
        "The tarball is an empty file, or an archive without one regular file, so there is "
        "nothing to serve. An interrupted copy often leaves an empty file behind."
    ),
    "site-truncated": (
        "The archive ends in the middle of a member: its last bytes are missing. The copy was "
        "interrupted, or the disk was full."
    ),
    "site-not-tar": (
        "The file is no uncompressed tar archive: a header has a wrong checksum or a field that "
        "is no number. Compressed archives are refused too, because files are read in place at "
        "their offsets."
    ),
    "member-path": (
        "A member's name would leave the tree (`..`), is absolute, or is not UTF-8. Such a name "
        "can never be requested, and unpacking it elsewhere would be dangerous, so the whole "
        "archive is refused."
    ),
    "member-duplicate": (
        "Two members have the same name. The last one is served, as every tar program would "
        "leave it; an archive made by `zeroserve pack` never has duplicates."
    ),
    "member-sparse": (
        "A member is stored sparse, that is with holes left out. Its bytes are not in the "
        "archive in the order in which they are served, so it cannot be served in place."
    ),
    "index-missing": (
        "The archive has no member index as its first member. It can be served, since the "
        "server then indexes and hashes it at load; what needs the index (deployment, "
        "comparison) refuses it."
    ),
    "index-bad": (
        "The member index at the front of the archive (`.zeroserve/members.bin`) is damaged: "
        "its sizes or offsets contradict each other."
    ),
    "index-mismatch": (
        "The member index and the archive disagree: a member is missing on one side, or has "
        "another offset, size or time. The archive was changed after it was packed."
    ),
    "member-digest": (
        "The bytes of a member do not have the SHA-256 that the member index states. The "
        "archive was changed or damaged after it was packed."
    ),
    "site-digest": (
        "The site digest in the member index is not the digest of the members it lists."
    ),
    "script-refused": (
        "The engine refused a script of the site: it is no eBPF object, asks for a helper or a "
        "section that is not there, or is source that was never compiled."
    ),
    "scripts-unchecked": (
        "The site has scripts, and the engine that could judge them is not installed here. A start "
        "may still refuse them."
    ),
    # packing
    "pack-not-directory": (
        "`pack` wants an existing directory: the tree whose files become the site."
    ),
    "pack-terminal": (
        "The archive would be written to a terminal. Send it to a file or to another program."
    ),
    "pack-link-outside": (
        "A symbolic link points out of the tree that is packed. Following it would publish a "
        "file that is not part of the site; leaving it out silently would break the site."
    ),
    "pack-duplicate": (
        "Two names in the tree are the same text in different Unicode normalization forms. On "
        "other machines they would be one file, so the archive would not be reproducible."
    ),
    "pack-name": (
        "A file's name cannot be stored: it is not UTF-8, or longer than 4,096 bytes. A "
        "request's path is UTF-8, so nobody could ask for the file."
    ),
    "pack-unreadable": (
        "A file or directory in the tree cannot be read. A site with a file missing would be "
        "worse than no archive."
    ),
    "pack-changed": (
        "A file changed while the tree was packed, so its digest would be wrong. Pack again "
        "when nothing writes there."
    ),
    "pack-empty": ("The tree has no regular file that would be packed."),
    "script-compiler": (
        "The site has scripts in C, and their compiler is not there, is another version than the "
        "pinned one, or cannot be started. A site without scripts needs none."
    ),
    "script-compile": (
        "A script does not compile. The compiler's words follow, with file, line and column; "
        "nothing is packed, because a script that is left out may be what protects a page."
    ),
    "script-twice": (
        "A script's source and an object of the same name lie side by side, and only one of them "
        "can be packed under that name."
    ),
    "script-object": (
        "A file in the scripts' folder is named `.o` and is no relocatable eBPF object."
    ),
    "script-place": (
        "A script lies in a `.zeroserve/scripts/` that belongs to no root of "
        "`.zeroserve/hosts.json`, so it would never run."
    ),
    "case-bad": (
        "A file of cases for `zeroserve test` cannot be read, or has a key that there is not, a "
        "value of another kind, or no case at all."
    ),
    "dev-watch": (
        "`zeroserve dev` or `zsops dev` cannot see changes of files: the library of the extra "
        "`dev-server` is not installed, or the system's watches are used up."
    ),
    "dev-server": (
        "The server that `zeroserve dev` or `zsops dev` started has ended before it could serve. "
        "What it said stands above."
    ),
    "pack-epoch": ("`SOURCE_DATE_EPOCH` is set and is not a whole number of seconds since 1970."),
    "pack-output": (
        "The archive could not be written to its destination. Nothing was left there, and a "
        "former file of that name is untouched."
    ),
    "precompress-missing": (
        "A coded form (`.br`, `.zst`, `.gz`) should be made, or be compared with its file, and the "
        "library for it is not installed. The libraries come with the extra `precompress`, in the "
        "versions that give the same bytes on every machine."
    ),
    # rules of a site
    "rules-syntax": (
        "A line of `_headers` or `_redirects` cannot be understood, or asks for something that is "
        "not supported. The place is file, line and column; nothing is packed, because a rule "
        "that is left out may be what protects a page."
    ),
    "rules-bad": (
        "`.zeroserve/rules.json` is not what the engine reads: malformed, of another version, too "
        "large, or with a header or a status that is not supported."
    ),
    "rules-two-sources": (
        "`.zeroserve/rules.json` lies beside `_headers` or `_redirects`, from which it is made. "
        "Only one of them can be meant."
    ),
    "hosts-bad": (
        "`.zeroserve/hosts.json` is malformed, names something that is no host, or a root without "
        "a file in it."
    ),
    "coded-form": (
        "The member index says that a member is a coded form of another one, and it does not "
        "unpack to it, or is not there. Clients that accept the coding would get something else."
    ),
    "coded-form-unchecked": (
        "Coded forms could not be unpacked for comparison, because a library of the extra "
        "`precompress` is not installed here."
    ),
    # certificates
    "certificate-unreadable": (
        "The certificate file does not exist or cannot be read by this user."
    ),
    "certificate-bad": ("The certificate file holds no PEM certificate that can be parsed."),
    "certificate-expired": (
        "The certificate is no longer valid, so every browser would refuse it."
    ),
    "certificate-not-yet-valid": (
        "The certificate becomes valid later. Often the clock of this machine is wrong."
    ),
    "certificate-unused": (
        "A certificate, or a key, in a directory of certificates does not serve: the other half is "
        "missing, or its time is over and another one is preferred. The rest is served."
    ),
    "key-unreadable": ("The private key file does not exist or cannot be read by this user."),
    "key-bad": (
        "The key file holds no PEM private key that can be parsed without a password, or a kind "
        "of key that cannot sign for TLS 1.3 here (RSA of 2048 bits or more, ECDSA P-256 or "
        "P-384 can)."
    ),
    "key-mismatch": (
        "The private key does not belong to the first certificate of the certificate file."
    ),
    # Encrypted Client Hello
    "ech-bad": (
        "An ECH key file holds no pairs of key and configuration, or a pair that does not belong "
        "together; or a public name is no host name."
    ),
    "ech-duplicate": (
        "Two ECH keys have the same id. Clients name a key by it, so each needs its own."
    ),
    # releases
    "release-missing": (
        "The release directory does not exist, cannot be opened, or is not a directory."
    ),
    "manifest-missing": (
        "The release directory has no readable `manifest.json`, so it is not known which "
        "release it is."
    ),
    "manifest-bad": (
        "The release's `manifest.json` is not JSON, or a field that is needed is missing or "
        "malformed."
    ),
    "manifest-mismatch": (
        "The release's `manifest.json` states other digests or another size than its files have."
    ),
    # listening
    "address-bad": ("An address is none of `ip:port`, `[v6]:port`, `:port`, `unix:PATH`, `fd:N`."),
    "address-in-use": (
        "Another program, or another zeroserve, listens on the address already. Listeners are "
        "exclusive unless `--reuse-port` is given."
    ),
    "address-refused": (
        "The operating system does not let this process listen on the address: a privileged "
        "port, an address this machine does not have, or a path that cannot be created."
    ),
    # running
    "usage": (
        "The command line contradicts itself or lacks something. `--help` lists what there is."
    ),
    "not-supported": (
        "The flag is known, from the announced interface or from related projects, and this "
        "version does not have it. It is refused by name because ignoring it would change what "
        "is served."
    ),
    "probe-bad": (
        "The probe file must hold one secret of at least 16 characters of `A-Z a-z 0-9 _ -`."
    ),
    "log-unwritable": ("The access log cannot be opened for appending."),
    "daemon-not-running": (
        "Nothing answers on the control socket: no zeroserve runs there, or it was started "
        "without `--control`, or with another path."
    ),
    "control-in-use": ("A running zeroserve answers on the control socket already."),
    "control-unusable": (
        "The control socket cannot be created or reached: the directory is missing or not "
        "writable, or the path is too long for a unix socket (107 bytes)."
    ),
    "control-answer": ("What answered on the control socket did not speak its protocol."),
    "reload-refused": (
        "The running server did not take over the new site. It goes on serving the old one; the "
        "text says why."
    ),
    "release-unexpected": (
        "A reload was asked for with the digest of one release and found another one. Nothing "
        "was changed."
    ),
    "engine-missing": (
        "The compiled engine is not installed beside the Python package, or cannot be loaded on "
        "this machine. Packing and checking work without it, serving does not."
    ),
    "config-refused": (
        "The engine refused the site or its settings. The text names the file and the reason."
    ),
    "unsupported": (
        "This machine lacks something the engine needs, mostly io_uring. The text names the "
        "cause and the remedy; `zeroserve doctor` shows all of it."
    ),
    "engine-bug": ("A fault of zeroserve itself. Please report it with the text that was printed."),
}
"""Every code, and what it means. Codes are stable: scripts may match on them."""


class ZeroserveError(Exception):
    """Something to tell a person.

    `code` is a key of `EXPLANATIONS`; `hint` is one thing to do, or None.
    """

    exit_code = EXIT_REFUSED

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        """Make an error. `message` says what happened, to what;

        lower case, names in backticks, no full stop.
        """
        assert code in EXPLANATIONS, code
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def render(self) -> str:
        """The lines for stderr, without a newline at the end."""
        text = f"error[{self.code}]: {self.message}"
        return text if self.hint is None else f"{text}\nhint: {self.hint}"


class SiteRefused(ZeroserveError):
    """The tarball is at fault."""


class PackRefused(ZeroserveError):
    """The tree that should be packed, or the place for the archive, is at fault."""


class TlsRefused(ZeroserveError):
    """A certificate or a key is at fault."""


class ReleaseRefused(ZeroserveError):
    """A release directory is at fault."""


class ListenRefused(ZeroserveError):
    """An address is at fault, or what else listens there."""


class ControlRefused(ZeroserveError):
    """The control socket, or what it answered, is at fault."""


class DaemonNotRunning(ControlRefused):
    """Nothing answers on the control socket."""


class UsageRefused(ZeroserveError):
    """The command line is at fault."""

    exit_code = EXIT_USAGE


class CaseRefused(ZeroserveError):
    """A file of cases for `zeroserve test` is at fault."""


class FileRefused(ZeroserveError):
    """A file beside the site (probe secret, access log) is at fault."""


class ConfigRefused(ZeroserveError):
    """The engine refused what it was given (status 1)."""


class Unsupported(ZeroserveError):
    """This machine cannot run the engine (status 2)."""


class EngineBug(ZeroserveError):
    """Our own fault (status 70)."""

    exit_code = EXIT_BUG
