"""Small trees of files, and what packing makes of them."""

import gzip
import io
from pathlib import Path

from zeroserve.pack.archive import PackOptions, PackResult, pack

FILES = {
    "index.html": b"<h1>hello</h1>",
    "a/b.txt": b"text",
    "a/b.txt.gz": gzip.compress(b"text", mtime=0),
    "page.html": b"<p><zs-meta>key</zs-meta></p>",
    "empty": b"",
}


def write_tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def pack_bytes(root: Path, options: PackOptions | None = None) -> tuple[bytes, PackResult]:
    output = io.BytesIO()
    result = pack(root, output, options or PackOptions())
    return output.getvalue(), result
