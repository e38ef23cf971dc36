"""`http.request` against a real local server: answers, faults, redirects, and what it must never reach (B20, S11)."""

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from opsledger.kit import ExecutorPolicy, PermanentFault, TransientFault
from services.executor.egress import Address
from services.executor.operations.http_request import HttpRequest


@dataclass
class Web:
    """A small HTTP server on a loopback port, which remembers what it was sent."""

    port: int = 0
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def policy(self) -> ExecutorPolicy:
        """A policy that lists this server."""
        return ExecutorPolicy(egress_allow=(f"127.0.0.1:{self.port}",))

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split()
        self.seen.append((f"{method} {target}", headers, body))
        word, _, rest = target.partition("?")[0].lstrip("/").partition("/")
        match word:
            case "status":
                answer = f"HTTP/1.1 {rest} X\r\nContent-Length: 4\r\nX-Mine: yes\r\n\r\nbody"
            case "redirect":
                answer = f"HTTP/1.1 302 X\r\nLocation: {rest}\r\nContent-Length: 0\r\n\r\n"
            case "keep":
                answer = f"HTTP/1.1 307 X\r\nLocation: {rest}\r\nContent-Length: 0\r\n\r\n"
            case "large":
                answer = "HTTP/1.1 200 X\r\nContent-Length: 50000000\r\n\r\n" + "x" * 200_000
            case "zip":
                answer = "HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb"
            case "slow":
                answer = ""
                await reader.read()
            case _:
                answer = "HTTP/1.1 2"
        writer.write(answer.encode())
        writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    """A running server."""
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    yield web
    server.close()


async def test_an_answer_comes_back(web: Web, run_operation: Any) -> None:
    """Status, headers and body; the token travels as the idempotency key."""
    params = {
        "method": "POST",
        "url": web.url("/status/201?secret=1"),
        "json": {"a": [1, "ü"]},
        "headers": {"X-A": "b"},
    }

    ran = await run_operation(HttpRequest(), params, policy=web.policy, generation=3)

    assert (ran.output["status"], ran.output["body"], ran.output["truncated"]) == (201, "body", False)
    assert ran.output["headers"]["x-mine"] == "yes"
    line, headers, body = web.seen[0]
    assert line == "POST /status/201?secret=1"
    assert headers["idempotency-key"] == "1/1/3"
    assert headers["host"] == f"127.0.0.1:{web.port}"
    assert (headers["content-type"], headers["x-a"]) == ("application/json", "b")
    assert json.loads(body) == {"a": [1, "ü"]}
    assert not any("secret" in line for line in ran.log)


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
async def test_a_server_in_trouble_is_worth_a_retry(web: Web, run_operation: Any, status: int) -> None:
    """5xx, 429 and 408 may pass."""
    with pytest.raises(TransientFault, match=f"answered {status}: body"):
        await run_operation(HttpRequest(), {"url": web.url(f"/status/{status}")}, policy=web.policy)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 302])
async def test_a_refusal_is_final(web: Web, run_operation: Any, status: int) -> None:
    """4xx will be the same next time; so is a redirect that nobody asked to follow."""
    with pytest.raises(PermanentFault, match=f"answered {status}"):
        await run_operation(HttpRequest(), {"url": web.url(f"/status/{status}")}, policy=web.policy)


async def test_expected_statuses_are_success(web: Web, run_operation: Any) -> None:
    """Single statuses and ranges."""
    params = {"url": web.url("/status/404"), "expect": [200, "400-404"]}

    ran = await run_operation(HttpRequest(), params, policy=web.policy)

    assert ran.output["status"] == 404


async def test_a_large_body_is_cut(web: Web, run_operation: Any) -> None:
    """Only the beginning is read; the rest never enters memory."""
    params = {"url": web.url("/large"), "keep_bytes": 1000}

    ran = await run_operation(HttpRequest(), params, policy=web.policy)

    assert ran.output["truncated"]
    assert ran.output["body"] == "x" * 1000


async def test_a_compressed_answer_is_refused(web: Web, run_operation: Any) -> None:
    """We ask for none, so a bomb has no way in."""
    with pytest.raises(PermanentFault, match="asked not to compress"):
        await run_operation(HttpRequest(), {"url": web.url("/zip")}, policy=web.policy)


async def test_silence_is_a_transient_fault(web: Web, run_operation: Any) -> None:
    """The timeout covers the whole exchange."""
    with pytest.raises(TransientFault, match=r"no answer within 0\.2 s"):
        await run_operation(HttpRequest(), {"url": web.url("/slow"), "timeout": 0.2}, policy=web.policy)


async def test_a_broken_exchange_is_a_transient_fault(web: Web, run_operation: Any) -> None:
    """Half an answer is a fault of the world."""
    with pytest.raises(TransientFault, match="broke off"):
        await run_operation(HttpRequest(), {"url": web.url("/broken")}, policy=web.policy)


async def test_nobody_listening_is_a_transient_fault(run_operation: Any, unused_tcp_port: int) -> None:
    """A refused connection may be accepted later."""
    policy = ExecutorPolicy(egress_allow=("127.0.0.1",))

    with pytest.raises(TransientFault, match="no connection"):
        await run_operation(HttpRequest(), {"url": f"http://127.0.0.1:{unused_tcp_port}/"}, policy=policy)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_loopback_is_refused_unless_listed(web: Web, run_operation: Any, host: str) -> None:
    """However it is written, nothing is fetched from this machine (B20)."""
    with pytest.raises(PermanentFault, match="egress_denied"):
        await run_operation(HttpRequest(), {"url": web.url("/status/200", host)})

    assert web.seen == []


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://10.0.0.1/"]
)
async def test_metadata_and_private_addresses_are_refused(run_operation: Any, url: str) -> None:
    """Nothing inside is reachable without a rule (B20)."""
    with pytest.raises(PermanentFault, match="egress_denied"):
        await run_operation(HttpRequest(), {"url": url})


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://x/", "http://", "http://u:p@h/", "http://h:99999/", "/x"]
)
def test_only_web_addresses_are_taken(url: str) -> None:
    """Other schemes, credentials in the URL and bad ports do not get past the parameters."""
    with pytest.raises(PermanentFault, match=r"parameters of http\.request do not fit"):
        HttpRequest().parse({"url": url})


async def test_a_redirect_is_followed_when_asked(web: Web, run_operation: Any) -> None:
    """To the same server, with the author's headers; a POST becomes a GET."""
    params = {"method": "POST", "url": web.url("/redirect//status/200"), "body": "x", "follow_redirects": True}

    ran = await run_operation(HttpRequest(), {**params, "headers": {"Authorization": "Bearer t"}}, policy=web.policy)

    assert ran.output["status"] == 200
    assert [line for line, _, _ in web.seen] == ["POST /redirect//status/200", "GET /status/200"]
    assert web.seen[1][1]["authorization"] == "Bearer t"


async def test_a_redirect_inside_is_refused(web: Web, run_operation: Any) -> None:
    """Each hop is checked anew: metadata, other ports of this machine, other schemes (B20)."""
    for target in ("http://169.254.169.254/", "http://127.0.0.1:1/", "file:///etc/passwd"):
        params = {"url": web.url(f"/redirect/{target}"), "follow_redirects": True}
        with pytest.raises(PermanentFault, match="egress_denied"):
            await run_operation(HttpRequest(), params, policy=web.policy)


async def test_credentials_stay_with_the_first_host(web: Web, run_operation: Any) -> None:
    """A redirect to another host does not carry headers that were meant for the first."""
    policy = ExecutorPolicy(egress_allow=("127.0.0.1", "localhost"))
    url = web.url(f"/keep/http://localhost:{web.port}/status/200")
    params = {"url": url, "follow_redirects": True, "headers": {"Authorization": "Bearer t", "X-Key": "k"}}

    await run_operation(HttpRequest(), params, policy=policy)

    assert not {"authorization", "x-key", "idempotency-key"} & set(web.seen[1][1])
    assert web.seen[1][1]["host"] == f"localhost:{web.port}"


async def test_a_circle_of_redirects_ends(web: Web, run_operation: Any) -> None:
    """Five hops are enough."""
    circle = "/redirect/" * 9 + "x"
    params = {"url": web.url(circle), "follow_redirects": True}

    with pytest.raises(PermanentFault, match="more than 5 redirects"):
        await run_operation(HttpRequest(), params, policy=web.policy)


async def test_a_rebinding_name_server_gains_nothing(web: Web, run_operation: Any) -> None:
    """The name is resolved once, and the connection goes to the address that was checked (B20)."""
    answers: list[list[Address]] = [[ip_address("127.0.0.1")], [ip_address("169.254.169.254")]]

    async def resolve(host: str, port: int) -> list[Address]:
        assert host == "rebind.example"
        return answers.pop(0)

    operation = HttpRequest(resolver=resolve)
    params = {"url": web.url("/status/200", "rebind.example")}

    ran = await run_operation(operation, params, policy=ExecutorPolicy(egress_allow=("rebind.example",)))
    assert ran.output["status"] == 200
    assert web.seen[0][1]["host"] == f"rebind.example:{web.port}"
    assert len(answers) == 1

    with pytest.raises(PermanentFault, match="egress_denied"):
        await run_operation(operation, params, policy=ExecutorPolicy(egress_allow=("rebind.example",)))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate with its key for `tls.example`, signed by itself; made by openssl where that is installed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    pem = tmp_path / "tls.pem"
    subject = ["-subj", "/CN=tls.example", "-addext", "subjectAltName=DNS:tls.example"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*made, *subject, "-keyout", pem, "-out", tmp_path / "crt"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "crt").read_text())
    return pem


async def test_tls_is_checked_against_the_name_not_the_address(certificate: Path, run_operation: Any) -> None:
    """The connection goes to the checked address, but server name and certificate are those of the host name."""
    web, asked = Web(), []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0, ssl=serving)
    web.port = server.sockets[0].getsockname()[1]
    policy = ExecutorPolicy(egress_allow=("127.0.0.1",))

    async def resolve(host: str, port: int) -> list[Address]:
        return [ip_address("127.0.0.1")]

    operation = HttpRequest(resolver=resolve, tls=lambda: ssl.create_default_context(cafile=str(certificate)))
    async with server:
        url = f"https://tls.example:{web.port}/status/200"
        ran = await run_operation(operation, {"url": url}, policy=policy)
        with pytest.raises(TransientFault, match="no connection"):
            await run_operation(operation, {"url": url.replace("tls.", "other.")}, policy=policy)

    assert ran.output["status"] == 200
    assert asked == ["tls.example", "other.example"]
    assert web.seen[0][1]["host"] == f"tls.example:{web.port}"
    assert len(web.seen) == 1


async def test_a_proxy_of_the_environment_is_not_used(
    web: Web, run_operation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes where it was checked to go."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    ran = await run_operation(HttpRequest(), {"url": web.url("/status/200")}, policy=web.policy)

    assert ran.output["status"] == 200


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Host": "other"}},
        {"headers": {"Idempotency-Key": "x"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"body": "a", "json": 1},
        {"expect": ["abc"]},
        {"timeout": 0},
        {"method": "CONNECT"},
    ],
)
def test_bad_parameters_are_refused(more: dict[str, Any]) -> None:
    """Header injection, headers of ours, and nonsense."""
    with pytest.raises(PermanentFault, match=r"parameters of http\.request do not fit"):
        HttpRequest().parse({"url": "http://x.example/", **more})
