"""An OpenAI-compatible server on loopback that goes wrong in every way that endpoints do.

Run as a program: python fault_server.py PORT_FILE FAULT_EVERY STALL_S. It writes its port to the file,
and tells what it did at /stats. The sample for a seed is `SAMPLES[seed % 4]`: tests know what is right.
"""

import asyncio
import itertools
import json
import sys
from collections import Counter
from pathlib import Path

KEY = "sk-very-secret-0123456789"
MODEL = "made-up"
# As models write; the last cannot be parsed.
SAMPLES = ["Answer: A", "(B)", "The answer is C.", "I cannot say."]
FAULTS = [
    "429 with Retry-After",
    "429",
    "500",
    "408",
    "429 with Retry-After in the past",
    "finish reason error",
    "finish reason abort",
    "503 as HTML",
    "hang-up before the reply",
    "hang-up mid-body",
    "truncated JSON",
    "no JSON",
    "empty choices",
    "null choices",
    "error in a 200",
    "empty sample",
    "stall",
    "too many choices",
    "too few choices",
]


def choice(api, seed):
    text = SAMPLES[seed % len(SAMPLES)]
    part = {"message": {"role": "assistant", "content": text}} if api == "chat" else {"text": text}
    return {"index": 0, "finish_reason": "stop", **part}


def completion(api, choices):
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 3 * len(choices),
        "total_tokens": 9 + 3 * len(choices),
    }
    kind = "chat.completion" if api == "chat" else "text_completion"
    return {"id": "1", "object": kind, "created": 1, "model": MODEL, "choices": choices, "usage": usage}


class FaultServer:
    """One server; every `every`-th request for a sample goes wrong, 0 is never."""

    def __init__(
        self,
        every=0,
        stall_s=3600.0,
        faults=FAULTS,
        refuse=None,
        flagged=None,
        key=KEY,
        status=400,
    ):
        self.every, self.stall_s = every, stall_s
        self.faults = itertools.cycle(faults)
        self.refuse, self.status = refuse or {}, status
        # (word, status): prompts that hold the word are refused, as a filter does.
        self.flagged, self.key = flagged, key
        self.keys = set()
        self.stats = Counter()
        self.seeds, self.bodies = [], []

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def stop(self):
        self.server.close()

    async def serve(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.split("\r\n")
        headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in rest if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split(" ")[1]
        self.stats["requests"] += 1

        async def reply(status, value, kind="application/json", extra="", cut=0):
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{extra}"
                f"content-length: {len(data) + cut}\r\n\r\n".encode()
                + data
            )
            await writer.drain()
            return cut == 0

        if path == "/stats":
            return await reply(200, dict(self.stats))
        self.keys.add(headers.get("authorization"))
        if headers.get("authorization") != f"Bearer {self.key}":
            said = f"Incorrect API key provided: {headers.get('authorization', '')[7:]}"
            return await reply(401, {"error": {"message": said}})
        if path.endswith("/models"):
            if "models" in self.refuse:
                return await reply(404, {"error": {"message": "no such path"}})
            return await reply(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        asked = json.loads(body)
        if path.endswith("/embeddings"):
            data = [{"index": i, "embedding": [len(t), 1.0]} for i, t in enumerate(asked["input"])]
            return await reply(200, {"object": "list", "data": data[::-1], "model": MODEL})
        api = "chat" if path.endswith("/chat/completions") else "text"
        n, seed = asked.get("n", 1), asked["seed"]
        for name, message in self.refuse.items():
            if name in asked and (name != "n" or n > 1):
                error = message if isinstance(message, dict) else {"message": message}
                return await reply(self.status, {"error": error})
        if self.flagged and any(word in body.decode() for word in self.flagged[0]):
            return await reply(self.flagged[1], {"error": {"message": "flagged by the filter"}})
        self.stats["samples asked"] += n
        self.seeds.append(seed)
        self.bodies.append(asked)
        choices = [choice(api, seed + i) for i in range(n)]
        if self.every and self.stats["samples asked"] % self.every == 0:
            fault = next(self.faults)
            self.stats[fault] += 1
            if fault == "429 with Retry-After":
                return await reply(429, {"error": {"message": "slow"}}, extra="retry-after: 0.05\r\n")
            if fault == "429 with Retry-After in the past":
                past = "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
                return await reply(429, {"error": {"message": "slow"}}, extra=past)
            if fault.startswith("finish reason"):
                nothing = {"message": {"role": "assistant", "content": ""}, "text": ""}
                ended = {"index": 0, "finish_reason": fault.split()[-1], **nothing}
                return await reply(200, completion(api, [ended] * n))
            if fault in ("429", "500", "408"):
                return await reply(int(fault), {"error": {"message": f"key {KEY} went wrong"}})
            if fault == "503 as HTML":
                return await reply(503, b"<html>busy</html>", "text/html")
            if fault == "hang-up before the reply":
                return False
            if fault == "hang-up mid-body":
                return await reply(200, completion(api, choices), cut=1000)
            if fault == "truncated JSON":
                return await reply(200, json.dumps(completion(api, choices)).encode()[:-20])
            if fault == "no JSON":
                return await reply(200, b"<html>a proxy's page</html>", "text/html")
            if fault == "empty choices":
                return await reply(200, completion(api, []))
            if fault == "null choices":
                return await reply(200, {**completion(api, []), "choices": None})
            if fault == "error in a 200":
                return await reply(200, {"error": {"message": "overloaded", "code": 529}})
            if fault == "empty sample":
                return await reply(200, completion(api, [{"index": 0}] * n))
            if fault == "stall":
                await asyncio.sleep(self.stall_s)
                return False
            if fault == "too many choices":
                choices = [*choices, choices[0]]
            elif fault == "too few choices":
                choices = choices[: n // 2 or 1]
        return await reply(200, completion(api, choices))


async def main(port_file, every, stall_s):
    server = await FaultServer(int(every), float(stall_s)).start()
    aside = Path(port_file).with_suffix(".part")
    aside.write_text(str(server.port))
    aside.rename(port_file)
    await server.server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
