"""A headless Chromium, controlled by the DevTools protocol through two pipes."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 30.0  # seconds


def chromium():
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One tab of a new browser, which ends with the context.

    Attributes
    ----------
    errors : list of str
        Errors of the console and of the network since the page was opened.
    """

    def __init__(self, program):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        arguments = [
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]
        # The protocol uses the descriptors 3 and 4, which only a shell can set portably.
        script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, program, *arguments],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._count, self._unread, self._session = 0, b"", None
        self.errors, self._loaded = [], False

    def __enter__(self):
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")
        return self

    def __exit__(self, *args):
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def resize(self, width, height):
        """Set the size of the window; below 600 pixels it is a phone."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def open(self, address):
        """Open a page and wait until it is loaded."""
        self.errors, self._loaded = [], False
        answer = self._ask("Page.navigate", url=address)
        self._loaded = "loaderId" not in answer  # another place of the same page
        end = time.monotonic() + PATIENCE
        while not self._loaded and time.monotonic() < end:
            self._hear(self._next())
        if not self._loaded:
            self.errors.append(f"was not loaded within {PATIENCE:.0f} seconds")
        self.evaluate("new Promise(requestAnimationFrame)")

    def evaluate(self, expression):
        """Return the value of some JavaScript; raise its errors."""
        answer = self._ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["result"].get("description", "An error in JavaScript."))
        return answer["result"].get("value")

    def wait(self, condition):
        """Return whether some JavaScript becomes true within ten seconds."""
        end = time.monotonic() + 10.0
        while time.monotonic() < end:
            if self.evaluate(condition):
                return True
            time.sleep(0.1)
        return False

    def emulate(self, **features):
        """Set media features, such as ``prefers_color_scheme="dark"``."""
        named = [{"name": n.replace("_", "-"), "value": value} for n, value in features.items()]
        self._ask("Emulation.setEmulatedMedia", features=named)

    def mouse(self, *points):
        """Press the mouse at the first point, move it over the others, and release it."""
        for k, (x, y) in enumerate(points):
            kind = "mouseMoved" if k else "mousePressed"
            self._mouse(kind, x, y)
        self._mouse("mouseReleased", *points[-1])

    def _mouse(self, kind, x, y):
        self._ask(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1
        )

    def touch(self, *points):
        """Put a finger on the first point, move it over the others, and lift it."""
        for k, (x, y) in enumerate(points):
            kind = "touchMove" if k else "touchStart"
            self._ask("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        self._ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, name, text=""):
        """Press a key, such as ``"ArrowLeft"`` or ``"Tab"``."""
        codes = {"Tab": 9, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}
        shared = {"key": name, "windowsVirtualKeyCode": codes.get(name, 0)}
        kind = "keyDown" if text else "rawKeyDown"
        self._ask("Input.dispatchKeyEvent", type=kind, text=text, **shared)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **shared)

    def picture(self):
        """Return a screenshot, as base64 of a PNG."""
        return self._ask("Page.captureScreenshot")["data"]

    def _ask(self, method, **params):
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._hear(answer)

    def _next(self):
        """Return the next message."""
        while b"\0" not in self._unread:
            if not select.select([self._from], [], [], PATIENCE)[0]:
                raise TimeoutError("The browser does not answer.")
            more = os.read(self._from, 2**16)
            if not more:
                raise RuntimeError("The browser has ended.")
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _hear(self, event):
        """Record load events and errors."""
        method, params = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            said = details.get("exception", {}).get("description", "")
            self.errors.append(f"exception: {details.get('text')} {said}".strip())
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            said = [str(a.get("value", a.get("description"))) for a in params["args"]]
            self.errors.append(f"console: {' '.join(said)}")
