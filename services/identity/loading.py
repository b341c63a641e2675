"""Reading a trust bundle: a folder with ``trust.yaml``, or one JSON file as ``muster identity bundle show`` writes it.

The folder, beside AWS's published certificates which are part of Muster:

    trust.yaml                    audiences, methods, issuers (see ``TrustBundle``); an issuer's ``jwks: FILE`` is read
    ec2/rsa2048/REGION*.pem       further certificates of a region; likewise ec2/pkcs7, ec2/signature
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from schemas.message import complaint
from services.identity.core import ec2, jws, paths, signatures
from services.identity.core.bundle import Certificate, Ec2Method, Issuer, IssuerKind, TrustBundle
from services.identity.core.verdict import RefusedError
from services.runtime.config import ConfigError

_SHIPPED = {"rsa2048": (Ec2Method.RSA2048,), "rsa1024": (Ec2Method.PKCS7, Ec2Method.SIGNATURE)}


class BundleError(ConfigError):
    """The trust bundle cannot be used; the text says what is wrong where, and what to do."""


def load(place: Path | None) -> TrustBundle:
    """Return the bundle of a folder or file; None: what is part of Muster alone. Raises BundleError."""
    if place is None:
        return TrustBundle(certificates=shipped())
    try:
        return _loaded(place)
    except (BundleError, OSError, MemoryError):
        raise
    except Exception as cause:
        # A running processor reads a file again that somebody is editing, with parsers that are not ours: whatever one
        # of them raises, the bundle is broken, and a broken bundle must not end whoever has a good one in force.
        raise BundleError(f"{place}: it cannot be read: {type(cause).__name__}: {str(cause)[:200]}") from cause


def _loaded(place: Path) -> TrustBundle:
    if place.is_file():
        return _checked(place, _parsed(place, _text(place)))
    if not place.is_dir():
        raise BundleError(f"{place}: there is no such trust bundle; make one with: muster identity bundle init {place}")
    settings = place / "trust.yaml"
    if not settings.is_file():
        # Going on without it would mean to forget every issuer because a file is missing.
        raise BundleError(f"{settings}: missing; make one with: muster identity bundle init {place}")
    told = _read_yaml(settings)
    issuers = told.get("issuers")
    for issuer in issuers if isinstance(issuers, list) else ():
        if isinstance(issuer, dict) and "jwks" in issuer:
            issuer["keys"] = _jwks(place / str(issuer.pop("jwks")))
    told.setdefault("signed_control", bool(told.get("processors")))
    told["certificates"] = [one.model_dump(mode="json") for one in (*shipped(), *_own(place / "ec2"))]
    return _checked(place, _parsed(settings, json.dumps(told, default=str)))


def template() -> str:
    """Return a ``trust.yaml`` to begin with: it believes nobody but AWS, and says what can stand in it."""
    return (files("services.identity") / "template.yaml").read_text(encoding="utf-8")


def shipped() -> tuple[Certificate, ...]:
    """Return AWS's certificates, by region, as AWS publishes them."""
    found = []
    root = files("services.identity") / "certificates"
    for folder, methods in _SHIPPED.items():
        for one in sorted((root / folder).iterdir(), key=lambda entry: entry.name):
            region = one.name.removesuffix(".pem")
            found += [Certificate(region=region, method=method, pem=one.read_text()) for method in methods]
    return tuple(found)


def _own(folder: Path) -> tuple[Certificate, ...]:
    if not folder.is_dir():
        return ()
    found = []
    methods = [method.value for method in Ec2Method]
    for inner in sorted(folder.iterdir()):
        if inner.name not in methods:
            # A misspelt folder whose certificates are silently not there is worse than none.
            raise BundleError(f"{inner}: expected folders named {', '.join(methods)}")
        for one in sorted(inner.glob("*.pem")):
            # Several certificates of a region are told apart after a dot: us-east-2.mine.pem
            region = one.name.split(".")[0]
            if not ec2.REGION.fullmatch(region):
                raise BundleError(f"{one}: a certificate is named after its region, like us-east-2.pem")
            found.append(Certificate(region=region, method=Ec2Method(inner.name), pem=_text(one)))
    return tuple(found)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as cause:
        raise BundleError(f"{file}: {cause.strerror}") from cause
    except UnicodeDecodeError as cause:
        raise BundleError(f"{file}: not text") from cause


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        told = yaml.safe_load(_text(file)) or {}
    except yaml.YAMLError as cause:
        raise BundleError(f"{file}: not YAML: {cause}") from cause
    if not isinstance(told, dict):
        raise BundleError(f"{file}: expected audiences, issuers and so on; found a {type(told).__name__}")
    return told


def _jwks(file: Path) -> Any:  # noqa: ANN401 - checked with the whole
    try:
        told = json.loads(_text(file))
    except ValueError as cause:
        raise BundleError(f"{file}: not JSON: {cause}") from cause
    if not isinstance(told, dict) or not isinstance(told.get("keys"), list):
        raise BundleError(f"{file}: a JWKS has a list named keys (RFC 7517)")
    return told["keys"]


def _parsed(file: Path, text: str) -> TrustBundle:
    try:
        return TrustBundle.model_validate_json(text)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        if any(fault["type"] == "json_invalid" for fault in told):
            words = "not JSON: a trust bundle is a folder, or one file as muster identity bundle show prints it"
            raise BundleError(f"{file}: {words}") from error
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'the bundle'}: {complaint(fault)}" for fault in told)
        raise BundleError(f"{file}: {faults}") from error


def _checked(place: Path, bundle: TrustBundle) -> TrustBundle:
    """Look at everything once, so that nothing of it fails when somebody connects."""
    names = [issuer.name for issuer in bundle.issuers]
    if len(set(names)) != len(names):
        raise BundleError(f"{place}: two issuers have the same name; names of issuers stand in names of workloads")
    for one in bundle.certificates:
        try:
            signatures.certificate(one.pem)
        except ValueError as cause:
            raise BundleError(f"{place}: a certificate of {one.region} ({one.method.value}): {cause}") from cause
    for issuer in bundle.issuers:
        _check_issuer(place, issuer)
    for name, keys in (("processors", bundle.processors), ("operators", bundle.operators)):
        _check_keys(f"{place}: {name}", keys)
    if bundle.signed_control and not bundle.processors:
        raise BundleError(f"{place}: signed_control without processors: nobody could tell the time")
    return bundle


def _check_keys(where: str, keys: tuple[str, ...]) -> None:
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(signatures.from_base64(key, "key"))
        except (ValueError, RefusedError) as cause:
            raise BundleError(f"{where}: {key[:60]} is no Ed25519 public key in base64") from cause


def _check_issuer(place: Path, issuer: Issuer) -> None:
    if any({"d", "k"} & set(key) for key in issuer.keys):
        raise BundleError(f"{place}: the keys of {issuer.name} are not public: a trust bundle holds no secrets")
    if issuer.session_bound and issuer.kind is not IssuerKind.GCP:
        raise BundleError(
            f"{place}: session_bound of {issuer.name}: only tokens of kind gcp are asked for in a session"
        )
    if not issuer.keys and not issuer.discovery:
        raise BundleError(f"{place}: {issuer.name} has neither keys nor jwks nor discovery: true")
    if issuer.keys and not any(_fits(key, algorithm) for key in issuer.keys for algorithm in issuer.algorithms):
        raise BundleError(f"{place}: none of the keys of {issuer.name} is for {' or '.join(issuer.algorithms)}")
    if issuer.ecs is not None and issuer.kind is not IssuerKind.ECS:
        raise BundleError(f"{place}: ecs of {issuer.name}: it is of kind {issuer.kind.value}; expected kind: ecs")
    claims = issuer.ecs.model_dump() if issuer.ecs is not None else {}
    named = [(f"attribute {name}", path) for name, path in issuer.attributes.items()]
    for what, path in (*named, *((f"ecs.{name}", path) for name, path in claims.items())):
        try:
            paths.check(path)
        except paths.PathError as cause:
            raise BundleError(f"{place}: {what} of {issuer.name}: {cause}") from cause


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    try:
        jws.public_key(key, algorithm)
    except jws.NoKeyError:
        return False
    return True
