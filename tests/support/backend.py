"""The real Kafka and the real Kubernetes API that tests run on.

``MUSTER_TEST_BACKEND=local`` (the default) starts the local stack's; ``docker`` starts testcontainers' Kafka and
K3s, where a Docker daemon answers. Tests that restart a part ask for ``kafka_process`` or ``kube_process``, which
are their own.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.local import crds
from services.local.golang import build_kube
from services.local.kafka import Kafka, answers, settings
from services.local.kube import Kube
from services.local.ports import free
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

BACKEND = os.environ.get("MUSTER_TEST_BACKEND", "local")
KAFKA_IMAGE = "apache/kafka:4.1.0"
K3S_IMAGE = "rancher/k3s:v1.34.1-k3s1"
if BACKEND not in {"local", "docker"}:
    raise pytest.UsageError(f"MUSTER_TEST_BACKEND={BACKEND}: expected local or docker")


def _docker() -> None:
    """Skip, saying why, where no Docker daemon answers."""
    import docker

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"MUSTER_TEST_BACKEND=docker, but no Docker daemon answers: {error}")


def _container(port: int) -> "DockerContainer":
    """Return Apache's own image with the local broker's settings, to be entered."""
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    for name, value in settings(port, free(), "/tmp/kafka", bind="0.0.0.0").items():  # noqa: S104, S108 - its own
        container = container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
    return container


def _local_only() -> None:
    if BACKEND != "local":
        pytest.skip(f"restarts a part of the local stack; MUSTER_TEST_BACKEND={BACKEND}")


@pytest.fixture(scope="module")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Bootstrap servers of a real Kafka for the tests of one module: topics' names are fixed, so modules share none."""
    if BACKEND == "docker":
        _docker()
        port = free()
        with _container(port):
            await eventually(lambda: answers(port), f"{KAFKA_IMAGE} to answer", within_s=120)
            yield f"127.0.0.1:{port}"
        return
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    yield await broker.start()
    await broker.stop()


@pytest.fixture(scope="session")
async def kube(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """Kubeconfig of a real Kubernetes API with Istio's and Muster's custom resources, shared by all tests."""
    folder = tmp_path_factory.mktemp("kube")
    if BACKEND == "docker":
        _docker()
        from testcontainers.community.k3s import K3SContainer

        with K3SContainer(K3S_IMAGE) as container:
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(container.config_yaml())
            await asyncio.to_thread(crds.apply, kubeconfig)
            yield kubeconfig
        return
    await build_kube(_say)
    api = Kube(folder)
    yield await api.start()
    await api.stop()


@pytest.fixture
async def kafka_process(tmp_path: Path) -> AsyncIterator[Kafka]:
    """Give one test a Kafka of its own, to be stopped, killed and started again."""
    _local_only()
    broker = Kafka(tmp_path / "kafka")
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def kube_process(tmp_path: Path) -> AsyncIterator[Kube]:
    """Give one test a Kubernetes API of its own, to be stopped, killed and started again."""
    _local_only()
    await build_kube(_say)
    api = Kube(tmp_path / "kube")
    await api.start()
    yield api
    await api.stop()


_told: set[str] = set()


def _say(what: str, done: int, total: int) -> None:
    """Tell of a build that takes minutes, once a tenth; pytest shows it with -s and in CI's log on failure."""
    line = f"{what}: {10 * done // total * 10} %" if total else what
    if line not in _told:
        _told.add(line)
        os.write(2, f"[kube] {line}\n".encode())


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own MUSTER_ settings out of the tests."""
    for name in list(os.environ):
        if name.startswith("MUSTER_") and name not in {"MUSTER_TEST_BACKEND", "MUSTER_CACHE_DIR"}:
            monkeypatch.delenv(name)
