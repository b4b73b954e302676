"""A headless Chromium that opens a local page and tells what it drew, what it logged and what it asked the network for.

Speaks the DevTools protocol over a pipe, so it needs neither a port nor a package.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
ANSWER_S = 60.0
"""Longest wait for an answer of the browser."""


class NoChromium(RuntimeError):
    """No Chromium was found."""


def find_chromium() -> str:
    """Path of the browser: ``$NEUROEMU_CHROMIUM``, or the first of the usual names on the path.

    Raises:
        NoChromium: none is there; the message says how to install one.
    """
    asked = os.environ.get("NEUROEMU_CHROMIUM")
    found = shutil.which(asked) if asked else next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        looked = asked or ", ".join(NAMES)
        raise NoChromium(
            f"no Chromium found (looked for {looked}). Install it: `apt-get install -y chromium`, "
            "or name another one in NEUROEMU_CHROMIUM."
        )
    return found


@dataclass
class Page:
    """One open page. ``problems`` are console errors and uncaught exceptions, ``requests`` all URLs asked for."""

    browser: Chromium
    target: str
    session: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A DevTools command on this page."""
        return self.browser.call(method, parameters, self.session)

    def open(self, file: Path) -> None:
        """Load a local file and wait until it has loaded and its scripts have run."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=file.resolve().as_uri())
        self.browser.wait_for("Page.loadEventFired", self.session)
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression (awaited when it is a promise), as plain Python."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression[:80]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def resize(self, width: int, height: int, scale: float = 1.0) -> None:
        """Give the page another size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def prefer(self, scheme: str, medium: str = "") -> None:
        """Ask for the ``light`` or ``dark`` scheme, and optionally for the medium ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    def screenshot(self, file: Path, x: float, y: float, width: float, height: float) -> None:
        """Write a PNG of a part of the page, in CSS pixels; it may lie below the window."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Close the page."""
        self.browser.call("Target.closeTarget", {"targetId": self.target})

    def note(self, method: str, said: dict[str, Any]) -> None:
        """Keep what the page said of its own accord."""
        if method == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.problems.append(f"exception: {details.get('exception', {}).get('description', details['text'])}")
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert", "warning"):
            self.problems.append(f"console {said['type']}: {[one.get('value') for one in said['args']]}")
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"log {said['entry']['level']}: {said['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.problems.append(f"dialog: {said['message']}")
            self.browser.send("Page.handleJavaScriptDialog", {"accept": True}, self.session)


class Chromium:
    """A running browser behind a pair of pipes; use :func:`chromium`."""

    def __init__(self, to_browser: int, from_browser: int):
        self._to, self._from = to_browser, from_browser
        self._number, self._buffer = 0, b""
        self._events: list[dict[str, Any]] = []
        self._pages: dict[str, Page] = {}

    def new_page(self) -> Page:
        """An empty page of its own."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self._pages[session] = Page(self, target, session)
        return self._pages[session]

    def send(self, method: str, parameters: dict[str, Any], session: str = "") -> int:
        """Send a command without waiting for its answer; returns its number."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        return self._number

    def call(self, method: str, parameters: dict[str, Any], session: str = "") -> dict[str, Any]:
        """Send a command and wait for its answer."""
        number = self.send(method, parameters, session)
        deadline = time.monotonic() + ANSWER_S
        while True:
            message = self._receive(deadline, method)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return dict(message["result"])

    def wait_for(self, event: str, session: str) -> None:
        """Wait until a page has reported an event since the last wait for it."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            for position, message in enumerate(self._events):
                if message["method"] == event and message.get("sessionId") == session:
                    del self._events[: position + 1]
                    return
            self._receive(deadline, event)

    def _receive(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(deadline - time.monotonic(), 0.0))
            part = os.read(self._from, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError(f"Chromium did not answer: {waiting_for}")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._events.append(message)
            page = self._pages.get(message.get("sessionId", ""))
            if page:
                page.note(message["method"], message["params"])
        return message


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A fresh browser with an empty profile, ended on leaving.

    Raises:
        NoChromium: none is installed.
    """
    program = find_chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        read_commands, to_browser = os.pipe()
        from_browser, write_answers = os.pipe()

        def join_pipes() -> None:
            """Put the pipes where the browser expects them: commands on 3, answers on 4."""
            commands, answers = (fcntl.fcntl(end, fcntl.F_DUPFD, 5) for end in (read_commands, write_answers))
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=join_pipes,
        )
        os.close(read_commands)
        os.close(write_answers)
        browser = Chromium(to_browser, from_browser)
        try:
            yield browser
        finally:
            _end(process, browser)
            os.close(to_browser)
            os.close(from_browser)


def _end(process: subprocess.Popen[bytes], browser: Chromium) -> None:
    try:
        browser.send("Browser.close", {})
        process.wait(10)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
