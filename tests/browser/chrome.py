"""A real Chromium as a test holds it: one process, and tabs that are driven by the DevTools protocol."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic", "--hide-scrollbars",
]  # fmt: skip
WITHIN_S = 30.0
"""A bound on a hang, on a machine with much else to do."""

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"
)

_AUDIT = Path(__file__).with_name("audit.js").read_text()
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}


class Chromium:
    """The process. It ends by its own pid, with all it started."""

    def __init__(self, folder: Path) -> None:
        profile = folder / "profile"
        self.log = (folder / "chromium.log").open("wb")
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
        self.popen = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        try:
            self.address = self._address(profile / "DevToolsActivePort")
        except BaseException:
            self.close()
            raise

    def _address(self, told: Path) -> str:
        deadline = time.monotonic() + WITHIN_S
        while not (lines := told.read_text().split() if told.exists() else [])[1:]:
            assert self.popen.poll() is None, "chromium ended at its start"
            assert time.monotonic() < deadline, "chromium did not say where it listens"
            time.sleep(0.02)
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}"

    def close(self) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.log.close()

    @contextlib.asynccontextmanager
    async def tab(
        self, base: str, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> AsyncIterator["Tab"]:
        """A tab with a profile of its own, for the site at ``base``."""
        async with aiohttp.ClientSession() as session, session.ws_connect(self.address, max_msg_size=0) as socket:
            tab = Tab(socket, base)
            reader = asyncio.create_task(tab.listen())
            try:
                await tab.begin(width=width, height=height, dark=dark, script=script)
                yield tab
                await tab.end()
            finally:
                reader.cancel()


class Tab:
    """One page, what a person does with it, and what it did.

    ``console``   what went wrong in it, by the browser's own words: errors, warnings, what the policy forbade
    ``requests``  the address of everything it asked for
    ``dialogs``   texts of dialogs that were opened
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, base: str) -> None:
        self.base = base
        self.console: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.clicks = 0
        self._socket = socket
        self._session = ""
        self._context = ""
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loads = 0
        self._loaded = asyncio.Condition()

    # The protocol.

    async def begin(self, *, width: int, height: int, dark: bool, script: bool) -> None:
        self._context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Audits", "DOM", "Accessibility"):
            await self.send(f"{domain}.enable")
        await self.look(width=width, height=height, dark=dark)
        await self.send("Emulation.setScriptExecutionDisabled", value=not script)
        await self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    async def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Look at it on another screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        await self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme, calm])

    async def end(self) -> None:
        self._session = ""
        await self.send("Target.disposeBrowserContext", browserContextId=self._context)

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({**message, "sessionId": self._session} if self._session else message)
        async with asyncio.timeout(WITHIN_S):
            return await answer

    async def listen(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" not in told:
                await self._hear(told["method"], told["params"])
            elif "error" in told:
                self._answers.pop(told["id"]).set_exception(RuntimeError(told["error"]["message"]))
            else:
                self._answers.pop(told["id"]).set_result(told["result"])

    async def _hear(self, event: str, said: dict[str, Any]) -> None:
        match event:
            case "Runtime.consoleAPICalled":
                self.console.append(f"{said['type']}: {[one.get('value') for one in said['args']]}")
            case "Runtime.exceptionThrown":
                self.console.append(f"exception: {said['exceptionDetails']}")
            case "Log.entryAdded":
                self.console.append(f"{said['entry']['level']}: {said['entry']['text']} {said['entry'].get('url', '')}")
            case "Audits.issueAdded":
                self.console.append(f"issue: {said['issue']['code']} {said['issue']['details']}")
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(said["message"])
                asyncio.get_running_loop().create_task(self._dismiss())
            case "Page.loadEventFired":
                async with self._loaded:
                    self._loads += 1
                    self._loaded.notify_all()
            case _:
                pass

    async def _dismiss(self) -> None:
        await self.send("Page.handleJavaScriptDialog", accept=False)

    # What is asked of the page.

    async def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        told = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def audit(self, question: str) -> Any:
        """One of the questions of ``audit.js``."""
        return await self.ask(f"(() => {{ {_AUDIT}\nreturn {question}; }})()")

    async def text(self, selector: str = "main") -> str:
        """What stands there, as it is shown."""
        return await self.ask(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    async def until(self, expression: str, *, within_s: float = WITHIN_S) -> Any:
        """Wait until an expression holds in the page; returns its value."""
        deadline = time.monotonic() + within_s
        while True:
            with contextlib.suppress(RuntimeError):  # a page is on its way
                if value := await self.ask(expression):
                    return value
            assert time.monotonic() < deadline, f"not within {within_s} s: {expression}\n{(await self.text())[:2000]}"
            await asyncio.sleep(0.02)

    async def until_text(self, text: str, selector: str = "main") -> None:
        """Wait until a text stands there."""
        await self.until(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")

    async def first_paint_ms(self) -> float:
        """How long the page took from its request until something showed."""
        name = "first-contentful-paint"
        return await self.until(f"performance.getEntriesByName('{name}')[0]?.startTime")

    async def named(self) -> list[tuple[str, str]]:
        """Role and name of everything that can be used, as a screen reader says it."""
        tree = (await self.send("Accessibility.getFullAXTree"))["nodes"]
        shown = [node for node in tree if not node["ignored"]]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in shown]

    # What a person does.

    async def open(self, path: str) -> None:
        """Type an address."""
        async with self._arriving():
            await self.send("Page.navigate", url=path if "://" in path else self.base + path)

    @contextlib.asynccontextmanager
    async def _arriving(self) -> AsyncIterator[None]:
        before = self._loads
        yield
        async with asyncio.timeout(WITHIN_S), self._loaded:
            await self._loaded.wait_for(lambda: self._loads > before)

    async def click(self, selector: str, *, leads_on: bool = True) -> None:
        """Click the middle of an element, and wait for the page it leads to."""
        x, y = await self._middle(selector)
        self.clicks += 1
        async with self._arriving() if leads_on else contextlib.nullcontext():
            for kind in ("mousePressed", "mouseReleased"):
                await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def click_text(self, text: str, selector: str = "main a, main button", *, leads_on: bool = True) -> None:
        """Click the first link or button that says this."""
        found = (
            "(() => { document.querySelectorAll('[data-wanted]').forEach((one) => one.removeAttribute('data-wanted'));"
            f"const one = [...document.querySelectorAll({json.dumps(selector)})]"
            f".find((one) => one.innerText.trim().includes({json.dumps(text)}));"
            "one?.setAttribute('data-wanted', ''); return Boolean(one); })()"
        )
        assert await self.ask(found), f"nothing says {text!r}\n{await self.text()}"
        await self.click("[data-wanted]", leads_on=leads_on)

    async def _middle(self, selector: str) -> tuple[float, float]:
        wanted = json.dumps(selector)
        await self.ask(f"document.querySelector({wanted}).scrollIntoView({{block: 'center', inline: 'center'}})")
        place = await self.ask(
            f"(() => {{ const r = document.querySelector({wanted}).getClientRects()[0];"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return place[0], place[1]

    async def write(self, text: str) -> None:
        """Type a text where the cursor stands."""
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, *, leads_on: bool = False) -> None:
        """Press a key."""
        code = _KEYS.get(key, ord(key[0].upper()))
        typed = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        pressed = {"key": key, "windowsVirtualKeyCode": code}
        async with self._arriving() if leads_on else contextlib.nullcontext():
            down = {"type": "keyDown", "text": typed} if typed else {"type": "rawKeyDown"}
            await self.send("Input.dispatchKeyEvent", **down, **pressed)
            await self.send("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def picture(self, path: Path, *, height: int = 0) -> None:
        """Keep what is seen; ``height`` is how much of the page, or as much as the window shows."""
        clip = {"clip": {"x": 0, "y": 0, "width": 1280, "height": height, "scale": 1}} if height else {}
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=bool(height), **clip)
        path.write_bytes(base64.b64decode(shot["data"]))


Opened = Callable[..., contextlib.AbstractAsyncContextManager[Tab]]
