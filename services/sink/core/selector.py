"""Label selectors as Kubernetes has them: everything in one must hold (metav1.LabelSelector)."""

from collections.abc import Mapping

from schemas.policies import Requirement, Selector


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector selects an object with these labels."""
    same = all(labels.get(name) == value for name, value in selector.match_labels.items())
    return same and all(_meets(one, labels) for one in selector.match_expressions)


def spoken(selector: Selector) -> str:
    """Return a selector as kubectl's ``-l`` takes it; the empty one in words."""
    parts = [f"{name}={value}" for name, value in sorted(selector.match_labels.items())]
    parts += [_spoken(one) for one in selector.match_expressions]
    return ",".join(parts) or "any labels"


def _meets(one: Requirement, labels: Mapping[str, str]) -> bool:
    match one.operator:
        case "In":
            return labels.get(one.key) in one.values
        case "NotIn":
            # Kubernetes counts an object without the label among those that are not in.
            return labels.get(one.key) not in one.values
        case "Exists":
            return one.key in labels
        case "DoesNotExist":
            return one.key not in labels


def _spoken(one: Requirement) -> str:
    values = f"({','.join(one.values)})"
    return {
        "In": f"{one.key} in {values}",
        "NotIn": f"{one.key} notin {values}",
        "Exists": one.key,
        "DoesNotExist": f"!{one.key}",
    }[one.operator]
