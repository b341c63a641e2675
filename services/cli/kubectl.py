"""The options that mean what they mean in kubectl; whoever imports this does not pay for a client of Kubernetes."""

from pathlib import Path
from typing import Annotated

import typer

Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", metavar="FILE", help="As in kubectl. [default: KUBECONFIG]")
]
Context = Annotated[str | None, typer.Option("--context", help="As in kubectl: a context of the kubeconfig.")]


class NoKubernetesError(Exception):
    """Kubernetes could not be asked; the text says why and what to do."""
