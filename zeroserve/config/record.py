"""Record: frozen values that cross from the front end to the lean daemon as JSON.

`dataclasses` would do the first half, but loading it (with `inspect` and `ast` behind it) costs the
daemon more than a megabyte. Type checkers see a dataclass all the same.
"""

TYPE_CHECKING = False  # `typing` itself is too heavy here; type checkers know the bare name
if TYPE_CHECKING:
    from typing import Any, NoReturn, dataclass_transform

    Field = Any  # each subclass annotates its own
else:

    def dataclass_transform(**_options: object):  # noqa: ANN201
        return lambda decorated: decorated


SECRETS = ("key_pem", "probe_secret", "tls")


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """A frozen value with named fields, given by keyword. Class attributes are the defaults."""

    def __init__(self, **fields: "Field") -> None:
        """Set every annotated field. A missing or unknown one is our bug and raises `TypeError`."""
        for name in self.__annotations__:
            if name in fields:
                self.__dict__[name] = fields.pop(name)
            elif not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs `{name}`")
        if fields:
            raise TypeError(f"{type(self).__name__} has no `{'`, `'.join(fields)}`")

    def __setattr__(self, name: str, value: object) -> "NoReturn":
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.as_dict().items()))

    def __repr__(self) -> str:
        # A record may end in an error's text and so in a log: secrets are left out.
        fields = ", ".join(
            f"{name}=..." if name in SECRETS and value is not None else f"{name}={value!r}"
            for name, value in self.as_dict().items()
        )
        return f"{type(self).__name__}({fields})"

    def as_dict(self) -> "dict[str, Any]":
        """The fields in their order, one level deep."""
        return {name: getattr(self, name) for name in self.__annotations__}
