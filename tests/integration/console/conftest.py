"""One API for a whole module, and people who are signed in to its console."""

from tests.integration.api.conftest import api, module_nats

__all__ = ["api", "module_nats"]
