"""`noop`: does nothing, and says what it was given. For joins, for plans in the making, for measuring."""

from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params


class NoopParams(Params):
    """`value` comes back as the output."""

    value: Any = None


class Noop(Operation[NoopParams]):
    """Does nothing; its output is `value`."""

    name: ClassVar[str] = "noop"

    async def execute(self, ctx: Context, params: NoopParams) -> Any:  # noqa: ARG002 - the contract's signature
        """Return the value."""
        return params.value
