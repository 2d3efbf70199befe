"""The manual and the README say what is there."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

from tracked_files import Checkout

ROOMS = ("zeroserve/", "zsops/", "sites/", "tests/", "docs/", "deploy/", "bench/", ".github/")


def test_paths_exist(checkout: Checkout) -> None:
    lost = []
    for page in ["README.md", *checkout.matching(".md", under="docs/")]:
        for named in re.findall(r"`([\w./-]+)`", _prose(checkout.text(page))):
            path = checkout.root / named
            if named.startswith(ROOMS) and not path.exists() and not _ruled_out(named):
                lost.append(f"{page}: {named}")
    assert not lost


def test_links_of_the_readme_exist(checkout: Checkout) -> None:
    links = re.findall(r"\]\(([^)#]+)", checkout.text("README.md"))
    assert links
    assert not [each for each in links if "://" not in each and not (checkout.root / each).exists()]


def test_every_error_code_is_documented(checkout: Checkout) -> None:
    page = _load(checkout.root / "docs" / "errors_page.py")
    server = dict(page.server_codes(checkout.root / "zeroserve" / "errors.py"))
    fleet = dict(page.fleet_codes(checkout.root / "zsops"))
    assert len(server) > 20
    assert len(fleet) > 10
    assert not [code for code, text in {**server, **fleet}.items() if len(text) < 15]
    assert page.render() == checkout.text("docs/errors.md"), "run `python docs/errors_page.py`"


def test_the_page_of_helpers_is_that_of_the_table(checkout: Checkout) -> None:
    page = _load(checkout.root / "docs" / "helpers_page.py")
    want = page.render().rstrip("\n") + "\n"
    assert want.count("\n: ") > 90
    assert want == checkout.text("docs/manual/helpers.md"), "run `python docs/helpers_page.py`"


def test_every_dependency_has_a_reason(checkout: Checkout) -> None:
    project = tomllib.loads(checkout.text("pyproject.toml"))["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = {re.split(r"[<>=!~\[ ;]", each)[0] for each in wanted}
    for path in checkout.matching("Cargo.toml"):
        manifest = tomllib.loads(checkout.text(path))
        for table in ("dependencies", "dev-dependencies", "build-dependencies"):
            names |= set(manifest.get(table, {}))
    documented = set(re.findall(r"`([\w.-]+)`", checkout.text("docs/dependencies.md")))
    assert not names - documented, "docs/dependencies.md gives each a reason"
    rows = re.findall(r"^\| (`.*?) \|", checkout.text("docs/dependencies.md"), re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([\w.-]+)`", row)}
    assert not listed - names, "docs/dependencies.md lists what nobody depends on"


def test_every_option_is_in_the_manual(checkout: Checkout) -> None:
    manual = "".join(checkout.text(path) for path in checkout.matching(".md", under="docs/manual/"))
    sources = [
        *checkout.matching(".py", under="zeroserve/cli/"),
        *checkout.matching(".py", under="zsops/cli/"),
    ]
    options: set[str] = set()
    for path in sources:
        if not path.endswith("/refused.py"):  # names what does not exist
            options |= set(re.findall(r"""["'](--[a-z][a-z-]+)""", checkout.text(path)))
    assert len(options) > 20
    assert not options - {"--help", "--version"} - set(re.findall(r"--[a-z][a-z-]+", manual))


def test_every_exit_code_is_in_the_manual(checkout: Checkout) -> None:
    page = checkout.text("docs/manual/exit-codes.md")
    server = set(
        re.findall(r"^EXIT_\w+ = (\d+)", checkout.text("zeroserve/errors.py"), re.MULTILINE)
    )
    fleet = set(re.findall(r"^    [A-Z_]+ = (\d+)", checkout.text("zsops/errors.py"), re.MULTILINE))
    first, second = page.split("## zsops")
    assert server
    assert set(re.findall(r"^\| (\d+) \|", first, re.MULTILINE)) == server
    assert fleet
    assert set(re.findall(r"^\| (\d+) \|", second, re.MULTILINE)) == fleet


def test_claims_of_the_readme_are_those_that_are_tried(checkout: Checkout) -> None:
    claims = tomllib.loads(checkout.text("bench/claims.toml"))["claim"]
    readme = checkout.text("README.md")
    marked = re.findall(r"<!-- claim: ([\w-]+) -->", readme)
    assert sorted(marked) == sorted(each["id"] for each in claims)
    flat = " ".join(readme.split())
    assert not [each["id"] for each in claims if each["text"] not in flat]


def _prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _ruled_out(named: str) -> bool:
    """`sites/docs` is named in order to say that there is none."""
    return named == "sites/docs"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
