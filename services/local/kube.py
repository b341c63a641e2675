"""The local Kubernetes API: etcd, kube-apiserver and three controllers in one process (``deploy/kube``)."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import aiohttp
import yaml

from services.local import crds, golang
from services.local.child import Child
from services.local.ports import kept

READY_S = 120.0


class Kube:
    """One API server with its data in ``folder``; it comes back on the same port with the same data and token."""

    def __init__(self, folder: Path, arguments: Sequence[str] = ()) -> None:
        """``arguments`` are further ones of kube-apiserver."""
        self._arguments = tuple(arguments)
        self.folder = folder
        self.port = kept(folder / "port")
        self.kubeconfig = folder / "data" / "kubeconfig"
        self.child: Child | None = None

    async def start(self) -> Path:
        """Start the API (its binary must be built) with the custom resources in place; return its kubeconfig."""
        binary = golang.kube_binary()
        self.kubeconfig.unlink(missing_ok=True)
        argv = [str(binary), "-dir", str(self.folder / "data"), "-port", str(self.port), "--", *self._arguments]
        self.child = Child("kube", argv, self.folder / "kube.log")
        self.child.start()
        await self.child.ready(self._answers, READY_S)
        await asyncio.to_thread(crds.apply, self.kubeconfig)
        return self.kubeconfig

    async def _answers(self) -> bool:
        """Ask /readyz with the administrator's token: the kubeconfig appears when it first said yes."""
        if not self.kubeconfig.exists():
            return False
        config = yaml.safe_load(self.kubeconfig.read_text())
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        url = f"https://127.0.0.1:{self.port}/readyz"
        try:
            async with aiohttp.ClientSession() as http, http.get(url, headers=headers, ssl=False) as answer:
                return answer.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def stop(self) -> None:
        """End the API in order."""
        if self.child is not None:
            await self.child.stop()

    async def kill(self) -> None:
        """End the API as a crash would."""
        if self.child is not None:
            await self.child.kill()
