"""The languages of error messages: English, and Chinese for who asks (`Accept-Language: zh-CN`, specification §2.3).

English is what the code says where it refuses. This is the one table of the other language, by code; a message that
is not in it stays English. A translated error keeps the English one, with its details, as `debugMessage`.
"""

# ruff: noqa: RUF001  Chinese text has Chinese punctuation

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

CHINESE: Final = "zh-CN"
ENGLISH: Final = "en-US"
MAX_HEADER: Final = 400
"""Characters of the header that are looked at."""

_TASK: Final = "任务 {task_id} "
_SUBTASK: Final = "子任务 {subtask_id} "
_MESSAGES: Final[Mapping[int | str, str]] = {
    0: "请求过于频繁，请稍后重试。",
    1000: "系统内部错误，跟踪 ID 为 {trace_id}。",
    1001: "请求参数不合法。",
    "parameter": "参数 {parameter} 不合法。",
    "header": "请求头 {header} 不合法。",
    "pointer": "请求体中的 {pointer} 不合法。",
    1002: "请求的地址不存在。",
    1003: "该地址不支持 {method} 方法。",
    1004: "请求体过大。",
    1005: "请求体必须是未压缩的 JSON。",
    1006: "服务暂时不可用，请稍后重试。",
    "unknown": "服务暂时不可用，该操作可能仍会生效。",
    1011: "不支持按该字段排序。",
    3000: "用户未登录，或者登录信息不正确。",
    3100: "当前角色没有执行该操作的权限。",
    4001: _TASK + "不存在。",
    "subtask_not_found": _SUBTASK + "不存在。",
    "result_not_found": "没有该执行结果。",
    "result_gone": "该执行结果已不在对象存储中，请重新执行。",
    "result_damaged": "该执行结果与写入时不一致，请稍后重试或重新执行。",
    4003: "任务的子任务依赖关系不合法。",
    4007: _TASK + "处于 {state} 状态，不允许执行该操作。当前允许的操作：{allowed}。",
    "subtask": _SUBTASK + "处于 {state} 状态，不允许执行该操作。当前允许的操作：{allowed}。",
    4009: _TASK + "禁止回滚。",
    4010: "子任务不支持跳过。",
    4011: "该幂等键已用于其他请求。",
    4012: _TASK + "已被修改，请刷新后重试。",
}
RESULT_KINDS: Final = frozenset({"result_not_found", "result_gone", "result_damaged"})
"""What a target's `kind` says of a result that cannot be had."""
_KINDS: Final = RESULT_KINDS | {"subtask_not_found"}
"""Kinds of a target that have an entry of their own."""


def translated(scope: Mapping[str, Any], code: int, target: Mapping[str, Any], trace_id: str) -> str | None:
    """Return the message in the caller's language, None when English is what they get."""
    if not _chinese(scope):
        return None
    path = scope.get("path_params") or {}
    template = _MESSAGES.get(_entry(code, target, path))
    if template is None:
        return None
    known = {**path, **target, "method": scope.get("method", ""), "trace_id": trace_id}
    known["allowed"] = "、".join(target.get("allowed") or ("无",))
    return template.format_map(defaultdict(str, {name: str(value)[:40] for name, value in known.items()}))


def _entry(code: int, target: Mapping[str, Any], path: Mapping[str, Any]) -> int | str:
    """Return the most exact entry of the table."""
    if code == 1001:
        return next((name for name in ("parameter", "header", "pointer") if target.get(name)), code)
    if code == 1006 and target.get("effect") == "unknown":
        return "unknown"
    if code == 4007 and "subtask_id" in path:
        return "subtask"
    kind = target.get("kind")
    return str(kind) if kind in _KINDS else code


def _chinese(scope: Mapping[str, Any]) -> bool:
    given = b",".join(value for name, value in scope.get("headers", ()) if name == b"accept-language")
    return bool(given) and language(given.decode("latin-1")) == CHINESE


def language(accepted: str) -> str:
    """Return the language to answer in: the most wanted of the two we have, English when neither is named."""
    best, found = 0.0, ENGLISH
    for tag, weight in _ranges(accepted[:MAX_HEADER].split(",")):
        name = tag.partition("-")[0]
        if name in {"zh", "en"} and weight > best:
            best, found = weight, CHINESE if name == "zh" else ENGLISH
    return found


def _ranges(parts: Iterable[str]) -> Iterable[tuple[str, float]]:
    for part in parts:
        tag, _, parameters = part.partition(";")
        weight = parameters.replace(" ", "").removeprefix("q=") or "1"
        try:
            yield tag.strip().lower(), float(weight)
        except ValueError:
            continue
