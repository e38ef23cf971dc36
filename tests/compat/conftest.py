"""What other systems' clients expect is tried against one running API a module."""

from tests.integration.api.conftest import api, module_nats

__all__ = ["api", "module_nats"]
