"""Which files of a build are sure to be served as they are stored."""

from __future__ import annotations

from pathlib import Path

from support.trees import write_tree

from zsops.build.builds import Builds
from zsops.build.wished import wished_files
from zsops.config.load import load_project

CONFIG = """\
version: 1
project: acme
sites: {blog: {src: blog}, admin: {src: admin}}
environments:
  local:
    instances:
      web:
        listen: {https: "127.0.0.1:8443"}
        sites: {blog: [acme.org], admin: [admin.acme.org]}
"""


def test_files_of_a_site_with_scripts_are_not_compared(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "zsops.yaml": CONFIG.encode(),
            "blog/index.html": b"blog",
            "blog/_headers": b"/*\n  X-A: b\n",
            "admin/index.html": b"admin",
            "admin/.zeroserve/scripts/auth.c": b"int entry(void) { return 0; }\n",
        },
    )
    project = load_project(tmp_path / "zsops.yaml")
    instance = project.config.environments["local"].instances["web"]
    built = Builds(project, lambda made: None).instance("web", instance)
    files = {each.path: each.verbatim for each in wished_files(built, instance)}
    assert files["sites/blog/index.html"]
    assert [path for path, verbatim in files.items() if verbatim] == ["sites/blog/index.html"]
