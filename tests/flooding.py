"""A program that asks a server on this machine for more than it takes on, and counts the answers.

It stands back for whoever else wants the processor, as clients on other machines would.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from time import monotonic
from urllib.parse import urlsplit

# Refused without saying when to come again.
UNTOLD = "untold"
HEAD = "POST /v1/patients HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str, name: str
) -> tuple[int, bool]:
    """Store a patient: the status, and whether an answer that is no good one says when to come."""
    body = json.dumps({"identifiers": [{"system": "urn:flood", "value": name}]})
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    answered = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(answered.split()[1]), b"retry-after: " in answered


async def client(place: str, number: int, until: float, every: float, found: Counter[str]) -> None:
    """Ask so often, or where there is no time between, as soon as one is answered."""
    parts = urlsplit(place)
    head = HEAD.format(host=parts.netloc)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    count, due = 0, monotonic()
    while monotonic() < until:
        await asyncio.sleep(max(0, due - monotonic()))
        # What was not asked in time is not asked later.
        due = max(due, monotonic() - every) + every
        count += 1
        status, says_when = await ask(reader, writer, head, f"{os.getpid()}-{number}-{count}")
        found[str(status)] += 1
        found[UNTOLD] += status >= 400 and not says_when
    writer.close()


async def flood(place: str, seconds: float, rate: float, clients: int) -> Counter[str]:
    """What so many clients were answered, who ask so often a second together; 0 is all they can."""
    found: Counter[str] = Counter()
    until, every = monotonic() + seconds, clients / rate if rate else 0
    await asyncio.gather(*(client(place, n, until, every, found) for n in range(clients)))
    return found


if __name__ == "__main__":
    os.nice(15)
    address, so_long, so_often, many = sys.argv[1:]
    print(json.dumps(asyncio.run(flood(address, float(so_long), float(so_often), int(many)))))
