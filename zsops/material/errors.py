"""What is wrong with certificates and keys on the operator's side."""

from __future__ import annotations

from zsops.errors import ExitCode, ZsopsError


class MaterialError(ZsopsError):
    """A certificate, a key or an ECH key of the project is missing, closed to us, or unfit."""

    code = "material"
    exit_code = ExitCode.USAGE
