"""HTTP and websocket client of a running ComfyUI: queue a prompt, follow its events, collect what it made."""

import asyncio
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

LAST_EVENTS = {"execution_success": "success", "execution_error": "error", "execution_interrupted": "interrupted"}


class PromptRejected(ValueError):
    """The host refused the prompt, or part of it, before running. ``node_errors`` is its own report."""

    def __init__(self, body: dict):
        self.node_errors = body.get("node_errors") or {}
        lines = [describe(body["error"])] if body.get("error") else []
        for node, report in self.node_errors.items():
            lines += [f"node {node} ({report['class_type']}): {describe(error)}" for error in report["errors"]]
        super().__init__("\n".join(lines))


class NodeFailed(RuntimeError):
    """A node raised while the prompt ran. ``event`` is the host's ``execution_error``; the text is the node's own message."""

    def __init__(self, event: dict):
        self.event = event
        self.message = event["exception_message"].strip()
        super().__init__(f"{event['node_type']} (node {event['node_id']}) raised {event['exception_type']}: {self.message}")


@dataclass
class Result:
    """What came of one prompt.

    Attributes:
        prompt_id: the host's id.
        outputs: ui output of each output node, by node id ("9": {"images": [...]}).
        status: "success", "error" or "interrupted".
        cached: ids of the nodes that did not run because nothing changed.
        executed: ids of the nodes that ran, in order.
        seconds: run time by node id.
        events: every text event as (seconds since queueing, type, data).
        previews: every binary event, the pictures a sampler shows while it runs.
    """

    prompt_id: str
    outputs: dict[str, dict] = field(default_factory=dict)
    status: str = "running"
    cached: set[str] = field(default_factory=set)
    executed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    events: list[tuple[float, str, dict]] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)

    def progress(self, node: str) -> list[tuple[float, float]]:
        """(value, max) steps one node reported."""
        return [(data["value"], data["max"]) for _, kind, data in self.events if kind == "progress" and data["node"] == node]


OnEvent = Callable[[str, dict, Result], None]
"""Called as ``on_event(type, data, result)`` for each event of the prompt."""


class Client:
    """Talks to one server. Every call is blocking."""

    def __init__(self, url: str):
        self.url = url

    def request(self, path: str, body: dict | None = None, timeout: float = 60) -> bytes:
        """GET a path, or POST ``body`` as JSON to it, and return the answer's bytes."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read()

    def get(self, path: str) -> dict | list:
        """GET a JSON document."""
        return json.loads(self.request(path))

    def object_info(self) -> dict[str, dict]:
        """The host's description of every node class."""
        return self.get("/object_info")

    def interrupt(self, prompt_id: str | None = None) -> None:
        """Cancel the running prompt."""
        self.request("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, or interrupt it if it runs already."""
        self.request("/queue", {"delete": [prompt_id]})
        self.interrupt(prompt_id)

    def free(self) -> None:
        """Let the host drop its models and cached results."""
        self.request("/free", {"unload_models": True, "free_memory": True})

    def run(
        self, prompt: dict, on_event: OnEvent | None = None, timeout: float = 600, check: bool = True, extra_data: dict | None = None
    ) -> Result:
        """Queue an API-format prompt and wait for its end.

        Args:
            prompt: {node id: {"class_type", "inputs"}}.
            on_event: called for each event, on the calling thread.
            timeout: seconds after which TimeoutError is raised (and the prompt interrupted).
            check: raise NodeFailed when a node fails; False returns the result with status "error".
            extra_data: stored with the prompt, for example {"extra_pnginfo": {"workflow": ...}}.

        Raises:
            PromptRejected: the host reports any error of validation, also one that spares other outputs.
            NodeFailed: see ``check``.
        """
        result = asyncio.run(self._run(prompt, on_event, timeout, extra_data or {}))
        if check and result.status == "error":
            raise NodeFailed(result.events[-1][2])
        return result

    async def _run(self, prompt: dict, on_event: OnEvent | None, timeout: float, extra_data: dict) -> Result:
        client_id = uuid.uuid4().hex
        socket_url = f"{self.url.replace('http', 'ws', 1)}/ws?clientId={client_id}"
        async with aiohttp.ClientSession() as session, session.ws_connect(socket_url, max_msg_size=0) as socket:
            result = Result(self.queue(prompt, client_id, extra_data))
            try:
                await asyncio.wait_for(follow(socket, result, on_event), timeout)
            except asyncio.TimeoutError:
                self.cancel(result.prompt_id)
                raise TimeoutError(f"The prompt did not end within {timeout:g} s; last event: {result.events[-1:]}") from None
        history = await asyncio.to_thread(self.history, result.prompt_id)
        result.outputs = history["outputs"]
        return result

    def queue(self, prompt: dict, client_id: str = "", extra_data: dict | None = None) -> str:
        """POST a prompt and return its id; raises PromptRejected when the host reports any error."""
        body = {"prompt": prompt, "client_id": client_id, "extra_data": extra_data or {}}
        try:
            answer = json.loads(self.request("/prompt", body))
        except urllib.error.HTTPError as error:
            raise PromptRejected(json.loads(error.read())) from None
        if answer["node_errors"]:  # a 200 can carry errors: then only the outputs without one run
            self.cancel(answer["prompt_id"])
            raise PromptRejected(answer)
        return answer["prompt_id"]

    def history(self, prompt_id: str) -> dict:
        """The history entry of a prompt; it appears a moment after the last event."""
        for _ in range(200):
            entries = self.get(f"/history/{prompt_id}")
            if prompt_id in entries:
                return entries[prompt_id]
            time.sleep(0.05)
        raise TimeoutError(f"No history entry for prompt {prompt_id}.")


async def follow(socket: aiohttp.ClientWebSocketResponse, result: Result, on_event: OnEvent | None) -> None:
    """Read events into ``result`` until its prompt ends."""
    begin, started = time.monotonic(), {}
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            result.previews.append(message.data)
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        event = json.loads(message.data)
        kind, data = event["type"], event["data"]
        if data.get("prompt_id") != result.prompt_id:
            continue
        now = time.monotonic() - begin
        result.events.append((now, kind, data))
        if kind == "execution_cached":
            result.cached.update(data["nodes"])
        elif kind == "executing" and data["node"] is not None:
            result.executed.append(data["node"])
        elif kind == "progress_state":
            note_times(data["nodes"], now, started, result.seconds)
        result.status = LAST_EVENTS.get(kind, "running")
        if on_event:
            on_event(kind, data, result)
        if result.status != "running":
            return
    raise ConnectionError("The host closed the connection: it ended, or was stopped. Its server.log tells why.")


def note_times(nodes: dict[str, dict], now: float, started: dict[str, float], seconds: dict[str, float]) -> None:
    """Fill in ``seconds`` for the nodes of a ``progress_state`` event that have finished."""
    for node, state in nodes.items():
        started.setdefault(node, now)
        if state["state"] == "finished":
            seconds.setdefault(node, now - started[node])


def describe(error: dict) -> str:
    """One line out of an error entry of the host."""
    return ": ".join(part for part in (error.get("message"), error.get("details")) if part)
