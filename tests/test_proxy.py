"""The guide's recipe for nginx is carried out as it is written: a real one before `serve`."""

import json
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import create_connection, socket

import pytest
import trustme

from app.api import docs
from tests.processes import PATIENCE_SECONDS, environ, regimen, running

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PAGE = Path(docs.__file__).with_name("guide").joinpath("production.md").read_text("utf-8")
(RECIPE,) = re.findall(r"^```text\n(limit_conn_zone .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAME = "plans.example.org"

# What is the machine's, and not the recipe's: nobody's user, files of our own, no daemon.
AROUND = """
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{recipe}
}}
"""

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(not DEEP, reason="takes seconds: it is tried by `.ci/deep`"),
    pytest.mark.skipif(NGINX is None, reason="NGINX IS NOT INSTALLED: its recipe is not tried"),
]


@dataclass(frozen=True, slots=True)
class Proxy:
    """The two ports of a proxy, and the key of a front desk."""

    plain: int
    tls: int
    trusted: ssl.SSLContext
    key: str

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        """Ask as a client elsewhere does: by the service's name, which is this machine's here."""
        connection = HTTPSConnection(NAME, self.tls, timeout=PATIENCE_SECONDS)
        behind = create_connection(("127.0.0.1", self.tls), PATIENCE_SECONDS)
        connection.sock = self.trusted.wrap_socket(behind, server_hostname=NAME)
        said = {"Host": NAME, "Authorization": f"Bearer {self.key}", **headers}
        connection.request(method, path, body, said)
        try:
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


def made(folder: Path, *, plain: int, tls: int, behind: int) -> ssl.SSLContext:
    """Write the recipe down with other ports and files; gives what trusts its certificate."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    certificate.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    certificate.private_key_pem.write_to_path(folder / "private.key")
    changed = RECIPE
    for written, instead in (
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{behind};"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
        (f"/etc/ssl/{NAME}.pem", str(folder / "chain.pem")),
        (f"/etc/ssl/private/{NAME}.key", str(folder / "private.key")),
    ):
        assert changed.count(written) == 1, written
        changed = changed.replace(written, instead)
    (folder / "nginx.conf").write_text(AROUND.format(recipe=changed))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    return trusted


def free_port() -> int:
    """A port on which nobody listens at present."""
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def wait_until_it_listens(port: int) -> None:
    """Wait for somebody to take connections."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A service in production on a file, and nginx before it."""
    folder = tmp_path_factory.mktemp("proxy")
    plain, tls, behind = free_port(), free_port(), free_port()
    trusted = made(folder, plain=plain, tls=tls, behind=behind)
    env = environ(
        REGIMEN_ENVIRONMENT="production",
        REGIMEN_SECRET="of the tests, and of nobody else in the world",
        REGIMEN_ALLOWED_HOSTS=NAME,
        REGIMEN_PUBLIC_URL=f"https://{NAME}",
        REGIMEN_PORT=str(behind),
    )
    subprocess.run(regimen("migrate"), cwd=folder, env=env, check=True, capture_output=True)
    making = regimen("keys", "create", "desk", "--role", "front-desk")
    said = subprocess.run(making, cwd=folder, env=env, check=True, capture_output=True, text=True)
    (key,) = re.findall(r"rgm_\S+", said.stdout)
    nginx = [str(NGINX), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    with (
        running(regimen("serve"), cwd=folder, env=env) as service,
        running(nginx, cwd=folder, env=env),
    ):
        service.wait_for("Ctrl-C")
        wait_until_it_listens(tls)
        yield Proxy(plain, tls, trusted, key)


def test_who_comes_without_tls_is_led_to_it(proxy: Proxy) -> None:
    connection = HTTPConnection("127.0.0.1", proxy.plain, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/v1/plans?limit=1", headers={"Host": NAME})
    answer = connection.getresponse()
    connection.close()

    assert answer.status == 301
    assert answer.headers["location"] == f"https://{NAME}/v1/plans?limit=1"


def test_what_the_service_says_arrives_as_it_was_said(proxy: Proxy) -> None:
    patient = json.dumps({"identifiers": [{"system": "urn:example:mrn", "value": "EX-1"}]})
    made, _ = proxy.ask("POST", "/v1/patients", patient, **{"Content-Type": "application/json"})
    at = made.headers["location"]

    read, body = proxy.ask("GET", at)
    again, empty = proxy.ask("GET", at, **{"If-None-Match": read.headers["etag"]})

    assert (made.status, read.status, again.status, empty) == (201, 200, 304, b"")
    assert json.loads(body)["identifiers"][0]["value"] == "EX-1"
    assert read.headers["strict-transport-security"] == "max-age=31536000"
    assert re.fullmatch("[0-9a-f]{32}", read.headers["x-request-id"])
    assert read.headers["x-content-type-options"] == "nosniff"


def test_records_of_health_are_led_to_the_services_name(proxy: Proxy) -> None:
    answer, body = proxy.ask("GET", "/fhir/R4/.well-known/smart-configuration")

    assert answer.status == 200
    assert json.loads(body)["token_endpoint"] == f"https://{NAME}/oauth/token"


def test_figures_are_not_handed_on(proxy: Proxy) -> None:
    assert proxy.ask("GET", "/metrics")[0].status == 404


def test_nobody_is_let_in_without_a_key(proxy: Proxy) -> None:
    answer, body = proxy.ask("GET", "/v1/plans", Authorization="Bearer rgm_none")

    assert (answer.status, json.loads(body)["type"]) == (401, "credential-refused")


def test_many_lines_are_answered_line_by_line(proxy: Proxy) -> None:
    lines = '{"idempotency_key": "1"}\n{"idempotency_key": "2"}\n'
    answer, body = proxy.ask(
        "POST", "/v1/plans/bulk", lines, **{"Content-Type": "application/x-ndjson"}
    )

    assert answer.status == 200
    told = [json.loads(line) for line in body.splitlines()]
    assert [line["status"] for line in told[:2]] == [422, 422]


def test_who_waits_for_events_is_not_cut_off(proxy: Proxy) -> None:
    after = json.loads(proxy.ask("GET", "/v1/events")[1])["last"]

    answer, body = proxy.ask("GET", f"/v1/events?after={after}&wait=3")

    assert (answer.status, json.loads(body)["items"]) == (200, [])


def test_more_than_the_proxy_takes_is_refused(proxy: Proxy) -> None:
    declared = {"Content-Type": "application/json", "Content-Length": str(33 * 1024 * 1024)}

    assert proxy.ask("POST", "/v1/patients", "{}", **declared)[0].status == 413
