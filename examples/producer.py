"""Creates a task over the bus and prints the answer. Needs nats-py alone.

    NATS_URL=nats://... ACCESS_KEY=olk_... SECRET_KEY=ols_... python examples/producer.py '{"type": "host.inspect"}'

Keys come with a token: POST /api/v2/tokens. What is signed stands in docs/bus.md.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import sys
from datetime import UTC, datetime

import nats

SUBJECT = "commands.create"


async def main(body: bytes) -> None:
    """Send one signed command and wait for its answer."""
    client = await nats.connect(os.environ["NATS_URL"], inbox_prefix=os.environ.get("NATS_INBOX", "_INBOX"))
    inbox, date = client.new_inbox(), datetime.now(UTC).isoformat()
    answers = await client.subscribe(inbox)
    text = "\n".join((SUBJECT, date, "", hashlib.sha256(body).hexdigest()))
    mac = base64.b64encode(hmac.digest(os.environ["SECRET_KEY"].encode(), text.encode(), "sha256")).decode()
    signed = f"OPSLEDGER-HMAC-SHA256 {os.environ['ACCESS_KEY']}:{mac}"
    headers = {"Authorization": signed, "Date": date, "reply_to": inbox}
    await client.request(SUBJECT, body, timeout=5, headers=headers)  # answered by the stream: it is kept
    print((await answers.next_msg(timeout=30)).data.decode())
    await client.close()


asyncio.run(main(sys.argv[1].encode()))
