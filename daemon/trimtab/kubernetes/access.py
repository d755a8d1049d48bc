"""Where a cluster's API is and as whom to speak to it: from inside a pod, or by a kubeconfig."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.errors import SettingsError, excerpt

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import KubeConfig, SingleConfig

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts a pod's token, its namespace and the authority of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to find the API.

    With neither, in this order: the service account of the pod, the file in ``KUBECONFIG``,
    ``~/.kube/config``. ``context`` is one of the kubeconfig's, its current one unless said.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    service_account: Path = SERVICE_ACCOUNT


def configuration(access: Access) -> SingleConfig:
    """Read what ``access`` names. Raises ``SettingsError`` for what cannot be read or meant."""
    try:
        from lightkube.config.models import User
        from lightkube.core.exceptions import ConfigError
    except ImportError:
        raise SettingsError(
            "Kubernetes needs lightkube, which is not installed: pip install 'trimtab[kubernetes]'"
        ) from None
    try:
        config = _read(access).get(access.context)
    except (ConfigError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else excerpt(str(error))
        raise SettingsError(
            f"the access to Kubernetes cannot be used: {why}; {_remedy(access)}"
        ) from None
    if config is None:
        raise SettingsError(f"the access to Kubernetes names no cluster; {_remedy(access)}")
    # The client insists on a user; one without any credentials sends none.
    return config if config.user is not None else config._replace(user=User())


def _read(access: Access) -> KubeConfig:
    from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, KubeConfig

    if access.kubeconfig is not None:
        return KubeConfig.from_file(access.kubeconfig)
    if "KUBERNETES_SERVICE_HOST" in os.environ and (access.service_account / "token").is_file():
        return KubeConfig.from_service_account(access.service_account)
    return KubeConfig.from_file(os.environ.get("KUBECONFIG", DEFAULT_KUBECONFIG))


def _remedy(access: Access) -> str:
    if access.kubeconfig is not None:
        return f"check {access.kubeconfig} with `kubectl --kubeconfig` and its contexts"
    return "run in a pod with a service account, or name a kubeconfig in the settings"
