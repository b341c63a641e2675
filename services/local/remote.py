"""The running local stack, as other processes see and steer it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp
import filelock
import psutil

from services.local.child import StartError
from services.local.daemon import FILE

DEFAULT_FOLDER = Path(".muster")
LOG = "daemon.log"
_START_S = 15.0
_STOP_S = 60.0


class Running(NamedTuple):
    """A stack that runs: where its daemon listens, and its process."""

    folder: Path
    pid: int
    url: str
    token: str

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """Return the stack of this folder, or None: a file that outlived its daemon means none."""
        try:
            known = json.loads((folder / FILE).read_text())
            process = psutil.Process(known["pid"])
            same = abs(process.create_time() - known["started"]) < 1
            if not same or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            return None
        return cls(folder, known["pid"], known["url"], known["token"])

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Return the running stack of this folder, starting it in the background where there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / "start.lock"):
            return cls.find(folder) or cls._begin(folder)

    @classmethod
    def _begin(cls, folder: Path) -> Self:
        log = folder / LOG
        with log.open("ab") as output:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "services.local.daemon", str(folder.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while (found := cls.find(folder)) is None:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"the local stack did not start; see {log}:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        return found

    def end(self) -> None:
        """End the stack and everything it started, in order."""
        try:
            process = psutil.Process(self.pid)
            process.terminate()
            process.wait(_STOP_S)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired as error:
            raise StartError(f"the local stack (pid {self.pid}) did not end in {_STOP_S:.0f} s") from error

    async def state(self) -> dict[str, Any]:
        """Return what the daemon knows: ``kafka`` and ``kube`` with their state, and its ``children``."""
        return await self._ask("GET", "/")

    async def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Start a program under the daemon, in place of one of this name; return its pid."""
        answer = await self._ask("PUT", f"/children/{name}", {"argv": list(argv), "env": dict(env or {})})
        return int(answer["pid"])

    async def stop(self, name: str) -> None:
        """End a program in order."""
        await self._ask("DELETE", f"/children/{name}")

    async def kill(self, name: str) -> None:
        """End a program with SIGKILL."""
        await self._ask("POST", f"/children/{name}/kill")

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with (
                aiohttp.ClientSession(self.url, headers=headers) as http,
                http.request(method, path, json=body) as answer,
            ):
                if not answer.ok:
                    raise StartError(await answer.text())
                told: dict[str, Any] = await answer.json()
                return told
        except aiohttp.ClientError as error:
            log = self.folder / LOG
            raise StartError(
                f"the local stack in {self.folder} no longer answers ({error}); its log is {log}"
            ) from error


def forget(folder: Path) -> None:
    """Remove the data of an earlier run, and nothing else, of a folder where a stack has been."""
    if (folder / LOG).exists():
        for part in ("kafka", "kube", "logs"):
            shutil.rmtree(folder / part, ignore_errors=True)
