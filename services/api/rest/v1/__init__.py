"""OCP Express v1: the same tasks and commands under `/api/v1/tasks`, in the objects and codes of that API."""
