"""`zsops build`: sites become tarballs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from zsops.build.sbom import write_sbom
from zsops.build.site import BuiltSite, build_site
from zsops.build.twice import check_reproducible
from zsops.cli.invocation import Invocation
from zsops.cli.options import SiteArgument
from zsops.errors import BuildError, UsageError
from zsops.report.quantities import size_text


def build(
    context: typer.Context,
    site: SiteArgument = None,
    check: Annotated[
        bool, typer.Option("--check", help="Build twice under different conditions and compare.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep SITE.tar in this directory.")
    ] = None,
    bill: Annotated[
        bool,
        typer.Option("--sbom", help="Write SITE.cdx.json beside it: what is in it (CycloneDX)."),
    ] = False,
) -> None:
    """Build and pack sites. The same tree gives the same bytes on any machine."""
    invocation: Invocation = context.obj
    if bill and out is None:
        raise UsageError("`--sbom` is written beside the tarball", hint="add `--out DIR`")
    project = invocation.project()
    only = invocation.site_named(site)
    names = [only] if only else list(project.config.sites)
    results: list[dict[str, Any]] = []
    lines = []
    for name in names:
        project.site(name)
        with tempfile.TemporaryDirectory(prefix="zsops-build-") as scratch:
            built = build_site(project, name, Path(scratch), on_line=invocation.detail)
            if check:
                twin = check_reproducible(project, name, on_line=invocation.detail)
                if twin.release_digest != built.release_digest:
                    raise BuildError(f"site `{name}` is not reproducible: a third build differs")
            kept = _keep(built, invocation.directory / out) if out else None
            listed = (
                write_sbom(project.config.project, built, kept.parent) if kept and bill else None
            )
        for warning in built.warnings:
            invocation.say(f"warning: {name}: {warning}")
        if listed is not None:
            invocation.say(f"wrote `{listed}`")
        results.append(_result(built, kept, listed))
        checked = "  reproducible" if check else ""
        lines.append(
            f"{name}  {len(built.members)} files  {size_text(built.size)}"
            f"  {built.release_digest}{checked}"
        )
    invocation.answer("build", {"sites": results}, "\n".join(lines))


def _keep(built: BuiltSite, out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        kept = out / built.tar.name
        shutil.copyfile(built.tar, kept)
    except OSError as error:
        raise BuildError(f"`{error.filename}` cannot be written: {error.strerror}") from error
    return kept


def _result(built: BuiltSite, kept: Path | None, listed: Path | None) -> dict[str, Any]:
    return {
        "site": built.site,
        "files": len(built.members),
        "size": built.size,
        "release_digest": built.release_digest,
        "site_digest": built.site_digest,
        "tar": str(kept) if kept else None,
        "sbom": str(listed) if listed else None,
        "warnings": list(built.warnings),
    }
