"""An async client for the control plane of Fireworks: deployments, shapes, quotas, metrics.

Every method raises ``FireworksError`` and nothing else. Reads are retried where that can help.
Writes are resent only when they certainly did nothing; after anything else the error says
``is_ambiguous`` and the caller reads back before it decides (``adapter.py`` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.answers import Bucket, Call, describe, unreadable
from trimtab.targets.fireworks.errors import FireworksError, unsent
from trimtab.targets.fireworks.names import deployment_id, deployment_name, resource_path
from trimtab.targets.fireworks.pages import PAGE_SIZE_MAX, Paging, pages
from trimtab.targets.fireworks.parse import INT32_MAX, Fields
from trimtab.targets.fireworks.transport import Transport
from trimtab.targets.fireworks.unchanged import UnchangedDeployments
from trimtab.targets.fireworks.wire import (
    encode,
    parse_account,
    parse_deployment,
    parse_quota,
    parse_shape,
    parse_shape_version,
    parse_shard,
    update_mask,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from random import Random
    from types import TracebackType

    from trimtab.clock import Clock
    from trimtab.targets.fireworks.account import FireworksAccount
    from trimtab.targets.fireworks.connection import Connection
    from trimtab.targets.fireworks.resources import (
        AccountResource,
        DeploymentResource,
        QuotaResource,
        ShapeResource,
        ShapeVersionResource,
        ShardResource,
    )
    from trimtab.targets.fireworks.transport import Observer

T = TypeVar("T")


class FireworksClient:
    """The API of one account. Open it with ``async with`` or ``close`` it in the end.

    A deployment is named by id or full name. ``observer`` is told of every request; ``rng`` spreads
    the waits between retries; ``connection`` carries the requests, over HTTP unless told.
    """

    def __init__(
        self,
        account: FireworksAccount,
        clock: Clock,
        *,
        rng: Random | None = None,
        observer: Observer | None = None,
        connection: Connection | None = None,
    ) -> None:
        self.account_id = account.account_id
        self._account_path = f"accounts/{quote(account.account_id, safe='-._~')}"
        self._transport = Transport(
            account, clock, rng=rng, observer=observer, connection=connection
        )
        self._deployments = UnchangedDeployments()

    def __repr__(self) -> str:
        return f"FireworksClient({self._transport!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        await self._transport.close()

    async def list_deployments(
        self,
        *,
        filter_text: str = "",
        order_by: str = "",
        show_deleted: bool = False,
        page_size: int = PAGE_SIZE_MAX,
        on_unreadable: Callable[[str, FireworksError], None] | None = None,
    ) -> AsyncIterator[DeploymentResource]:
        """Yield every deployment of the account, page by page, each name once.

        ``filter_text`` is an AIP-160 filter, ``order_by`` like ``create_time desc``. What cannot be
        read raises, or is reported to ``on_unreadable`` by its name, and the others go on.
        """
        listing = Paging(
            path=f"{self._account_path}/deployments",
            noun="deployments",
            key="deployments",
            query={"filter": filter_text, "orderBy": order_by}
            | {"showDeleted": "true" if show_deleted else ""},
            page_size=page_size,
        )
        parse = self._deployments.begin_listing()
        async for item in self._listed(listing, parse, on_unreadable):
            yield item

    async def get_deployment(self, deployment: str) -> DeploymentResource:
        """Return a deployment; a soft-deleted one is still returned, in state ``DELETED``."""
        call = self._deployment_call("reading", "get_deployment", "GET", deployment)
        return self._own(deployment, await self._transport.fetch_object(call))

    async def create_deployment(
        self,
        fields: Mapping[str, object],
        *,
        deployment: str = "",
        validate_only: bool = False,
        skip_shape_validation: bool = False,
        disable_auto_deploy: bool = False,
        disable_speculative_decoding: bool = False,
        skip_image_tag_validation: bool = False,
        accept_shapeless_risk: bool = False,
    ) -> DeploymentResource:
        """Create a deployment from ``fields`` (names as on the wire; ``baseModel`` is required).

        ``deployment`` is its id and travels in the query; without one the server draws an id. An
        ambiguous failure may have created it: read it back, and give an id so that this is possible.
        """
        if not fields.get("baseModel"):
            raise unsent("a deployment cannot be created without baseModel; name the model")
        flags = {
            "validateOnly": validate_only,
            "skipShapeValidation": skip_shape_validation,
            "disableAutoDeploy": disable_auto_deploy,
            "disableSpeculativeDecoding": disable_speculative_decoding,
            "skipImageTagValidation": skip_image_tag_validation,
            "acceptShapelessRisk": accept_shapeless_risk,
        }
        query = {name: "true" for name, is_set in flags.items() if is_set}
        if deployment:
            query["deploymentId"] = deployment_id(self.account_id, deployment)
        call = Call(
            doing=f"creating deployment {deployment or '(id drawn by the server)'}",
            operation="create_deployment",
            method="POST",
            path=f"{self._account_path}/deployments",
            query=query,
            body=encode(fields),
            is_write=True,
            account_id=self.account_id,
        )
        return await self._written(call, parse_deployment)

    async def update_deployment(
        self, deployment: str, fields: Mapping[str, object], mask: Sequence[str]
    ) -> DeploymentResource:
        """Change the fields that ``mask`` names (``min_replica_count``, …) and no others.

        ``fields`` may hold more than the mask: the API wants ``baseModel`` in the body of every
        update. A field in the mask but not in the body would be reset and is refused here.
        """
        if not mask:
            raise unsent("an update without a mask may replace every field; name the fields")
        call = self._deployment_call(
            "updating",
            "update_deployment",
            "PATCH",
            deployment,
            query={"updateMask": update_mask(mask, fields)},
            body=encode(fields),
        )
        return await self._written(call, lambda body: self._own(deployment, body))

    async def scale_deployment(self, deployment: str, replica_count: int) -> None:
        """Ask for a replica count, explicitly also 0; the answer says nothing, so read back.

        How it gets on with the deployment's bounds is undocumented.
        """
        if not 0 <= replica_count <= INT32_MAX:
            raise unsent(f"replica count {replica_count} is not 0 or more")
        call = self._deployment_call(
            "scaling",
            "scale_deployment",
            "PATCH",
            deployment,
            verb=":scale",
            body={"replicaCount": replica_count},
        )
        await self._transport.fetch_object(call, may_be_empty=True)

    async def delete_deployment(
        self, deployment: str, *, hard: bool = False, ignore_checks: bool = False
    ) -> None:
        """Delete a deployment: softly, or for good with ``hard``.

        Without ``ignore_checks`` one that had traffic within the last hour is refused.
        """
        flags = {"hard": hard, "ignoreChecks": ignore_checks}
        call = self._deployment_call(
            "deleting",
            "delete_deployment",
            "DELETE",
            deployment,
            query={name: "true" for name, is_set in flags.items() if is_set},
        )
        await self._transport.fetch_object(call, may_be_empty=True)

    async def undelete_deployment(self, deployment: str) -> DeploymentResource:
        """Bring back a deployment that was deleted softly or has failed."""
        operation, verb = "undelete_deployment", ":undelete"
        call = self._deployment_call(
            "undeleting", operation, "POST", deployment, verb=verb, body={}
        )
        return await self._written(call, lambda body: self._own(deployment, body))

    async def list_shards(self, deployment: str) -> AsyncIterator[ShardResource]:
        """Yield a deployment's shards, one per region it runs in."""
        path = f"{self._deployment_path(deployment)}/shards"
        listing = Paging(path=path, noun=f"shards of {deployment}", key="deploymentShards")
        async for item in self._listed(listing, parse_shard):
            yield item

    async def list_shapes(
        self,
        *,
        account_id: str = "",
        filter_text: str = "",
        order_by: str = "",
        target_model: str = "",
    ) -> AsyncIterator[ShapeResource]:
        """Yield the shapes of this account or another: those of public models are ``fireworks``'s."""
        account = resource_path("", "accounts", f"accounts/{account_id or self.account_id}")
        listing = Paging(
            path=f"{account}/deploymentShapes",
            noun="deployment shapes",
            key="deploymentShapes",
            query={"filter": filter_text, "orderBy": order_by, "targetModel": target_model},
        )
        async for item in self._listed(listing, parse_shape):
            yield item

    async def get_shape(self, shape: str) -> ShapeResource:
        """Return a shape by its full name, or by its id if it is this account's."""
        return parse_shape(await self._read("deploymentShapes", "get_shape", shape))

    async def list_shape_versions(
        self, shape: str, *, filter_text: str = "", order_by: str = ""
    ) -> AsyncIterator[ShapeVersionResource]:
        """Yield the versions of a shape; ``accounts/-/deploymentShapes/-`` means all there are."""
        listing = Paging(
            path=resource_path(self.account_id, "deploymentShapes", shape) + "/versions",
            noun=f"versions of {shape}",
            key="deploymentShapeVersions",
            query={"filter": filter_text, "orderBy": order_by},
        )
        async for item in self._listed(listing, parse_shape_version):
            yield item

    async def get_shape_version(self, version: str) -> ShapeVersionResource:
        """Return a shape version by its full name, as ``deployment_shape`` holds it."""
        body = await self._read("deploymentShapes", "get_shape_version", version)
        return parse_shape_version(body)

    async def match_shapes(
        self, base_model: str, *, enable_addons: bool = False
    ) -> tuple[ShapeVersionResource, ...]:
        """Return the shape versions that could serve a model, best first."""
        request = {
            "parent": f"accounts/{self.account_id}",
            "deployment": {"baseModel": base_model, "enableAddons": enable_addons},
        }
        call = Call(
            doing=f"matching shapes for {base_model}",
            operation="match_shapes",
            method="POST",
            path=f"{self._account_path}/deploymentShapeVersions:match",
            body={"createDeploymentRequest": request},
            account_id=self.account_id,  # a POST that changes nothing: retried as a read
        )
        fields = Fields(await self._transport.fetch_object(call), "the matching shapes")
        return tuple(parse_shape_version(item) for item in fields.items("deploymentShapeVersions"))

    async def get_account(self) -> AccountResource:
        """Return the account itself."""
        return parse_account(await self._read("accounts", "get_account", self._account_path))

    async def list_quotas(
        self, on_unreadable: Callable[[str, FireworksError], None] | None = None
    ) -> AsyncIterator[QuotaResource]:
        """Yield the account's quotas: accelerators by type and place, spending, request rates."""
        listing = Paging(path=f"{self._account_path}/quotas", noun="quotas", key="quotas")
        async for item in self._listed(listing, parse_quota, on_unreadable):
            yield item

    async def get_quota(self, quota: str) -> QuotaResource:
        """Return one quota by its id, such as ``global--h200-count``."""
        return parse_quota(await self._read("quotas", "get_quota", quota))

    async def scrape_metrics(self) -> str:
        """Return the account's metrics as Prometheus text: one scrape for all its deployments.

        At most 6 a minute are let through. Never retried: the next scrape is the retry.
        """
        call = Call(
            doing=f"scraping the metrics of account {self.account_id}",
            operation="scrape_metrics",
            method="GET",
            path=f"{self._account_path}/metrics",
            bucket=Bucket.METRICS,
            account_id=self.account_id,
        )
        answer = await self._transport.fetch(call, attempts_max=1)
        if answer.text.lstrip().startswith(("<", '{"')):
            raise unreadable(call, answer, describe(answer.text) + ", not metrics")
        return answer.text

    async def _read(self, collection: str, operation: str, resource: str) -> dict[str, object]:
        call = Call(
            doing=f"reading {resource}",
            operation=operation,
            method="GET",
            path=resource_path(self.account_id, collection, resource),
            account_id=self.account_id,
        )
        return await self._transport.fetch_object(call)

    async def _written(self, call: Call, parse: Callable[[object], T]) -> T:
        """Send a write; an answer that cannot be read leaves open whether it was applied."""
        body = await self._transport.fetch_object(call)
        try:
            return parse(body)
        except FireworksError as error:
            error.is_ambiguous = True
            raise

    async def _listed(
        self,
        listing: Paging,
        parse: Callable[[object], T],
        on_unreadable: Callable[[str, FireworksError], None] | None = None,
    ) -> AsyncIterator[T]:
        async for item in pages(self._transport, listing):
            try:
                parsed = parse(item.json)
            except FireworksError as error:
                if on_unreadable is None:
                    raise
                on_unreadable(item.name, error)
            else:
                yield parsed

    def _deployment_path(self, deployment: str) -> str:
        identity = quote(deployment_id(self.account_id, deployment), safe="-._~")
        return f"{self._account_path}/deployments/{identity}"

    def _deployment_call(
        self,
        verb_phrase: str,
        operation: str,
        method: str,
        deployment: str,
        *,
        verb: str = "",
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Call:
        return Call(
            doing=f"{verb_phrase} deployment {deployment_name(self.account_id, deployment)}",
            operation=operation,
            method=method,
            path=self._deployment_path(deployment) + verb,
            query=query or {},
            body=body,
            is_write=method != "GET",
            account_id=self.account_id,
        )

    def _own(self, deployment: str, body: object) -> DeploymentResource:
        """Parse the deployment that was asked for; another one must not be scaled in its place."""
        resource = parse_deployment(body)
        if resource.name == deployment_name(self.account_id, deployment):
            return resource
        raise FireworksError(
            f"Asked for deployment {deployment}, the control plane answered with {resource.name}; "
            f"check the base URL and any proxy before it.",
            kind=ErrorKind.BAD_RESPONSE,
        )
