"""Lint of an operation's code: what its source shows. What blocks inside of a library nobody can see."""

import ast
import inspect
import os
import socket
import subprocess
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from opsledger.kit_operation import FunctionOperation
from opsledger.workbench.findings import Finding
from services.executor.operations.contract import Operation

_MISSING: Any = object()
_BLOCKING: dict[Any, str] = {
    time.sleep: "await asyncio.sleep(…), or ctx.unless_cancelled around it",
    os.system: "await ctx.run([…])",
    subprocess.run: "await ctx.run([…])",
    subprocess.call: "await ctx.run([…])",
    subprocess.check_call: "await ctx.run([…])",
    subprocess.check_output: "await ctx.run([…])",
    subprocess.Popen: "await ctx.run([…])",
    urllib.request.urlopen: "await asyncio.to_thread(…)",
    socket.create_connection: "await asyncio.open_connection(…)",
}
_BLOCKING_PACKAGES = ("requests", "psycopg2", "pymysql")
_STRAY = ("create_subprocess_exec", "create_subprocess_shell")


def check_code(subject: str, operation: Operation[Any]) -> Iterator[Finding]:
    """Give what the source of `execute` and `undo` shows."""
    work, undo = _functions(operation)
    seen = _Seen(work)
    for function in (work, undo):
        if function is not None:
            yield from _calls(subject, function)
    if undo is None and not operation.prohibit_rollback:
        yield Finding(
            *("warning", subject, "no-undo", "it has no undo, and does not forbid a rollback: one passes it by"),
            "attach an undo; or say rollback=False (prohibit_rollback); what changes nothing may ignore this",
        )
    if undo is None and operation.delivery == "at_least_once" and not seen.tokens:
        yield Finding(
            *("warning", subject, "runs-twice", "it runs again when its executor dies, and never looks at ctx.token"),
            "make doing it twice the same as doing it once, hand the token to the target, or use at_most_once",
        )


def _functions(operation: Operation[Any]) -> tuple[Any, Any]:
    if isinstance(operation, FunctionOperation):
        return operation.functions()
    cls = type(operation)
    return cls.execute, cls.undo if operation.has_undo() else None


class _Seen(ast.NodeVisitor):
    """The calls of one function's own body, and whether it uses the token. Inner functions may run in a thread."""

    def __init__(self, function: Any) -> None:
        self.calls: list[ast.Call] = []
        self.tokens = False
        tree = _parse(function)
        self._arguments = {argument.arg for argument in tree.args.args} if tree is not None else set()
        for statement in tree.body if tree is not None else ():
            self.visit(statement)
        if tree is None:  # no source: nothing can be said
            self.tokens = True

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Pass by what is called elsewhere."""

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Pass by what is called elsewhere."""

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note the token, the fence, and commands, which get it as TASK_TOKEN."""
        of_context = isinstance(node.value, ast.Name) and node.value.id in self._arguments
        self.tokens = self.tokens or (of_context and node.attr in {"token", "fence", "run"})
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Note a call."""
        self.calls.append(node)
        self.generic_visit(node)


def _parse(function: Any) -> ast.AsyncFunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    return tree if isinstance(tree, ast.AsyncFunctionDef) else None


def _calls(subject: str, function: Callable[..., Any]) -> Iterator[Finding]:
    for call in _Seen(function).calls:
        called = _resolve(call.func, function)
        where = f"line {call.lineno} of {getattr(function, '__name__', 'it')}"
        package = str(getattr(called, "__module__", "")).partition(".")[0]
        if _hashable(called) and called in _BLOCKING:
            yield Finding(
                *("warning", subject, "blocks", f"{where} blocks the executor: {ast.unparse(call.func)}"),
                f"all other attempts stand still meanwhile: {_BLOCKING[called]}",
            )
        elif package in _BLOCKING_PACKAGES:
            yield Finding(
                *("warning", subject, "blocks", f"{where} blocks the executor: {ast.unparse(call.func)}"),
                "put it into a function and `await asyncio.to_thread(…)`",
            )
        elif getattr(called, "__name__", "") in _STRAY:
            yield Finding(
                *("warning", subject, "stray-process", f"{where} starts a process that nothing holds"),
                "await ctx.run([…]): its whole tree is gone when it returns, also when the executor is killed",
            )
        elif called is print:
            yield Finding(
                *("warning", subject, "prints", f"{where} prints to the executor's own output"),
                "ctx.log.info(…) goes into the task's log",
            )


def _hashable(value: Any) -> bool:
    return value is not _MISSING and type(value).__hash__ is not None


def _resolve(node: ast.expr, function: Any) -> Any:
    """Return the object a name stands for in the function's module, if it is there."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return _MISSING
    known = {"print": print, **getattr(function, "__globals__", {})}
    found = known.get(node.id, _MISSING)
    for name in reversed(names):
        found = inspect.getattr_static(found, name, _MISSING) if inspect.ismodule(found) else _MISSING
    return found
