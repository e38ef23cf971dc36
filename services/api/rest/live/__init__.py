"""What comes live and what was: commits as server-sent events, a task's history by the page, a task as it was."""
