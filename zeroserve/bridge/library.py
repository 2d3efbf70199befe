"""Library: loads the compiled engine. The only importer of `_engine` in the whole project."""

from zeroserve.errors import ZeroserveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def load_engine() -> "ModuleType":
    """The engine's module, with `ffi` and `lib`. Raises `ZeroserveError` (`engine-missing`)."""
    try:
        # This is the one door that the ban of TID251 leaves open.
        from zeroserve import _engine  # noqa: TID251
    except (ImportError, OSError) as error:
        raise ZeroserveError(
            "engine-missing",
            f"the engine cannot be loaded: {error}",
            hint="install the zeroserve wheel for this machine, or build it with `maturin develop`",
        ) from error
    if not hasattr(_engine, "lib"):
        # Without the compiled part the folder is an empty namespace package.
        raise ZeroserveError(
            "engine-missing",
            "the engine is not installed beside the Python package",
            hint="install the zeroserve wheel for this machine, or build it with `maturin develop`",
        )
    return _engine
