"""Identity from a file, YAML or JSON, for machines whose platform has no metadata service.

Its shape::

    identity:
      aws: {partition: aws, account: "123456789012", region: us-east-2, zone: us-east-2b,
            ec2: {instanceId: i-1234567890abcdef0}}
    registration:          # optional, in the shape of Spec.Registration, without the agent
      host: {addresses: [{ip: 172.31.5.254, type: VPC}]}
      settings: {connectedOver: VPC}
      sidecar: {istio: {version: 1.29.0}}
      workload: {labels: {version: v5}}
    credential:            # what proves it, in the shape of the wire; without it nobody is admitted
      ec2: {document: "…", rsa2048: "…"}

The file is read again before the credential is shown. An unknown field is an error: a misspelt label that is silently
not there is worse than none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from schemas.credentials import Credential
from schemas.events import Host, Settings, Sidecar, WorkloadReport
from schemas.identity import Identity
from schemas.message import Message, complaint
from services.agent.identity.source import IdentityError, Machine


class RegistrationPart(Message):
    """What a file may say of the machine: a ``Registration`` but for the agent, which speaks for itself."""

    host: Host = Host()
    settings: Settings | None = None
    sidecar: Sidecar = Sidecar()
    workload: WorkloadReport = WorkloadReport()


class IdentityFile(Message):
    """The whole file."""

    identity: Identity
    credential: Credential | None = None
    registration: RegistrationPart = RegistrationPart()


class FileSource:
    """Reads the file when asked; a file that is not there is an error, since nobody but people writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def obtain(self) -> Machine:
        """Return what the file says, or raise ``IdentityError`` naming the file and every bad field."""
        content = self._read()
        try:
            parsed = IdentityFile.model_validate(content)
        except ValidationError as error:
            faults = (
                f"  {'.'.join(map(str, fault['loc']))}: {complaint(fault)}" for fault in error.errors(include_url=False)
            )
            raise IdentityError("\n".join([f"{self._path}: not an identity:", *faults])) from None
        if unknown := sorted(_unknown(IdentityFile, content)):
            raise IdentityError(f"{self._path}: no such field: {', '.join(unknown)}; check the spelling")
        registration = parsed.registration
        return Machine(
            identity=parsed.identity,
            addresses=registration.host.addresses,
            connected_over=registration.settings.connected_over if registration.settings else None,
            labels=registration.workload.labels,
            istio_version=registration.sidecar.istio.version if registration.sidecar.istio else None,
            credential=parsed.credential,
        )

    async def renew(self, session: str) -> Machine:  # noqa: ARG002 - whoever wrote the file knew of no session
        """Return what the file says now: whoever issues its credential may have replaced it."""
        return await self.obtain()

    def _read(self) -> Mapping[str, Any]:
        try:
            content = yaml.safe_load(self._path.read_text(encoding="utf-8"))
        except OSError as cause:
            raise IdentityError(f"{self._path}: cannot be read: {cause.strerror}; see identity.file") from cause
        except (ValueError, RecursionError, yaml.YAMLError) as cause:
            raise IdentityError(f"{self._path}: neither YAML nor JSON: {cause}") from cause
        if not isinstance(content, dict):
            raise IdentityError(
                f"{self._path}: expected `identity:` and perhaps `registration:`; found {content!r:.80}"
            )
        return content


def _unknown(model: type[BaseModel], content: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the paths of fields that the (validated) content has and the wire's models would ignore."""
    fields = {key: field for name, field in model.model_fields.items() for key in (name, field.alias or name)}
    for key, value in content.items():
        if key not in fields:
            yield f"{above}{key}"
            continue
        inner = next((t for t in _models(fields[key].annotation)), None)
        for part in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(part, Mapping):
                yield from _unknown(inner, part, f"{above}{key}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    """Yield the models inside an annotation such as ``Istio | None`` or ``tuple[Address, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)
