"""When a service is ready.

Responsible for: asking with a deadline. Refuses to know: what readiness means inside a service.
"""

import asyncio

import httpx2

from opsledger.cli.failure import CliError
from opsledger.cli.local.child import Child

DEADLINE_SECONDS = 30.0
EXECUTOR_READY = b"executor ready"


async def wait_api(child: Child, url: str, password: str) -> None:
    """Wait until GET /health/ready answers 200 to admin; CliError after the deadline with what was answered last."""
    heard = "no answer"
    async with httpx2.AsyncClient(base_url=url, auth=("admin", password), timeout=5.0, trust_env=False) as client:
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                answer = await client.get("/health/ready")
            except httpx2.HTTPError as error:
                heard = str(error) or type(error).__name__
            else:
                if answer.status_code == httpx2.codes.OK:
                    return
                heard = f"{answer.status_code} {answer.text[:500]}"
            await asyncio.sleep(0.05)
    raise _late(child, f"it last said: {heard}")


async def wait_executor(child: Child) -> None:
    """Wait until the executor has logged that it takes work."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if child.said(EXECUTOR_READY):
            return
        await asyncio.sleep(0.05)
    raise _late(child, "it has not said that it takes work")


def _late(child: Child, heard: str) -> CliError:
    tail = "".join(f"\n    {line}" for line in child.last_words())
    return CliError(
        f"{child.name} is not ready after {DEADLINE_SECONDS:.0f} s ({heard}); its log is {child.log}"
        + (f", which ends with:{tail}" if tail else ", which is empty")
    )
