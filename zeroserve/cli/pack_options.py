"""Pack options: flags that both forms of packing take. Defined without the packer, since a server's
start reads them, too.
"""

import click

from zeroserve.scripts.job import AUTO, CLANG


def _codings(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    from zeroserve.pack.coding import CODINGS

    known = [coding.token for coding in CODINGS]
    given = [one.strip() for one in text.split(",")]
    for one in given:
        if one not in known:
            raise click.BadParameter(f"`{one}` is none of {', '.join(known)}")
    return tuple(one for one in known if one in given)


def _compiler(text: str) -> str:
    if text not in (AUTO, CLANG) and "/" not in text:
        raise click.BadParameter(f"`{text}` is none of {AUTO}, {CLANG}, and no path of a clang")
    return text


COMPILER_OPTION = click.option(
    "--ebpf-compiler",
    "compiler",
    type=_compiler,
    metavar="auto|clang|PATH",
    default=AUTO,
    show_default=True,
    help="What compiles scripts. `auto` is the pinned compiler of `pip install "
    "'zeroserve[compiler]'`, the same bytes everywhere; `clang`, or its path, is your own.",
)
PRECOMPRESS_OPTION = click.option(
    "--precompress",
    type=_codings,
    metavar="LIST",
    default="",
    help="Make coded forms of files that shrink: a comma list of br, zstd, gzip. Needs "
    "`pip install 'zeroserve[precompress]'`.",
)
NO_IMMUTABLE_OPTION = click.option(
    "--no-immutable",
    is_flag=True,
    help="Do not let files with a hash in their names (app.3f2a9c1b.js) be cached for ever.",
)
