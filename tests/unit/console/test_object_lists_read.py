"""Object lists as people read them: rows of lines, and which paths have a page."""

import pytest

from services.api.console.object_lists_read import LINES, address_of, text_of


def test_a_line_of_each_kind_is_a_row() -> None:
    """The object first; what is no line of ours is shown as it is."""
    assert text_of("requested", b"a\nb c\n", 6).rows == [["a"], ["b c"]]
    assert text_of("synced", b"2026-11-21T09:20:31Z\ta\\tb\t12\n", 1).rows == [["a\\tb", "12", "2026-11-21T09:20:31Z"]]
    failed = text_of("failed", "gone\t2026-11-21T09:20:31Z\t%C3%A4\tä\tNoSuchKey\nodd\n".encode(), 1)
    assert failed.heads == ("Object", "Cause", "Code", "Time, UTC")
    assert failed.rows == [["ä", "gone", "NoSuchKey", "2026-11-21T09:20:31Z"], ["odd", "", "", ""]]
    assert text_of("ignored", b"\xff\n", 2).rows == [["\ufffd", "", ""]]


@pytest.mark.parametrize(
    ("piece", "size", "rows", "whole"),
    [
        (b"", 0, 0, True),
        (b"a\n" * LINES, 2 * LINES, LINES, True),
        (b"a\n" * (LINES + 1), 2 * LINES + 2, LINES, False),
        (b"a\nhalf", 100, 1, False),
    ],
)
def test_a_long_list_says_that_it_goes_on(piece: bytes, size: int, rows: int, *, whole: bool) -> None:
    """Half a line is none."""
    found = text_of("requested", piece, size)
    assert (len(found.rows), found.whole) == (rows, whole)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("oms/sync_task/1/object_lists/2-1-1.txt", "/sync/1/lists/requested/2-1-1.txt"),
        ("oms/sync_task/1/success_object_lists/2-1-1-00001.txt", "/sync/1/lists/synced/2-1-1-00001.txt"),
        (
            "oms/sync_task/1/failed_object_lists/creation_failures/2-1-1.failed_list.txt",
            "/sync/1/lists/not_begun/2-1-1.failed_list.txt",
        ),
        ("oms/sync_task/2/object_lists/2-1-1.txt", None),
        ("oms/sync_task/1/other/2-1-1.txt", None),
        ("oms/sync_task/1/object_lists/../x.txt", None),
        ("oms/sync_task/1/object_lists/x.txt", None),
        ("/oms/sync_task/1/object_lists/2-1-1.txt", None),
    ],
)
def test_lists_of_the_task_have_a_page(path: str, page: str | None) -> None:
    """No other path has: whatever an output says is text."""
    assert address_of(path, 1) == page
    assert address_of(path, None) is None
