"""Accounts, quotas, routers and the metrics endpoint."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.emulator import account as accounts
from trimtab.emulator import masks, metrics, quotas, routers, schema, shapes, validation
from trimtab.emulator.calls import update_paths
from trimtab.emulator.listing import list_page
from trimtab.emulator.quotas import Quota
from trimtab.emulator.refusals import already_exists, exhausted, invalid, not_found
from trimtab.emulator.routers import Router

if TYPE_CHECKING:
    from trimtab.emulator.account import Account
    from trimtab.emulator.calls import Call
    from trimtab.emulator.messages import Value

Answer = dict[str, Any]


async def list_accounts(call: Call) -> Answer:
    """ListAccounts: those that the key opens, always by name."""
    values = [
        accounts.message_value(account)
        for account in call.emulation.accounts.values()
        if account.is_opened_by(call.key)
    ]
    query = dataclasses.replace(call.list_query(), order_by="name")
    return list_page("accounts", schema.ACCOUNT, values, query, call.emulation.switches)


async def get_account(call: Call) -> Answer:
    """GetAccount."""
    account = call.account(is_read_of_public=True)
    return call.rendered(schema.ACCOUNT, accounts.message_value(account))


async def scrape(call: Call) -> web.Response:
    """Serve the metrics of the whole account: six a minute, refreshed every 30 seconds."""
    account = call.account()
    wait_seconds = account.scrapes.take(call.emulation.now())
    if wait_seconds is not None:
        raise exhausted(
            f"metrics rate limit exceeded for account {account.id}: "
            f"at most {accounts.SCRAPES_PER_MINUTE:g} requests per minute",
            retry_after_seconds=wait_seconds,
        )
    response = web.Response(text=call.emulation.scrape(account))
    response.headers["Content-Type"] = metrics.CONTENT_TYPE
    return response


# -- quotas ------------------------------------------------------------------------------------


def _quota_value(account: Account, quota: Quota) -> Value:
    usage = quota.usage
    if quota.accelerator_type is not None:
        usage += quotas.in_use(account.deployments.values(), quota.accelerator_type)
    return quotas.message_value(account.id, quota, usage)


async def list_quotas(call: Call) -> Answer:
    """ListQuotas, by name."""
    account = call.account()
    values = [_quota_value(account, quota) for quota in account.quotas.values()]
    return call.page("quotas", schema.QUOTA, values)


async def get_quota(call: Call) -> Answer:
    """GetQuota."""
    account = call.account()
    quota = account.quotas.get(call.id("quota"))
    if quota is None:
        raise not_found("quota", f"{account.name}/quotas/{call.id('quota')}")
    return call.rendered(schema.QUOTA, _quota_value(account, quota))


async def update_quota(call: Call) -> Answer:
    """UpdateQuota: its owner may move ``value`` up to ``maxValue``, which only support raises."""
    account = call.account()
    quota_id = call.id("quota")
    raw, change = await call.body(schema.QUOTA)
    quota = account.quotas.get(quota_id)
    is_missing_allowed = call.flag("allowMissing")
    now = call.emulation.now()
    if quota is None:
        if not is_missing_allowed:
            raise not_found("quota", f"{account.name}/quotas/{quota_id}")
        validation.check_id("quota", quota_id)
        quota = Quota(quota_id, 0, change.get("value", 0), now)
    paths = update_paths(call, schema.QUOTA, raw)
    wanted = change.get("value", 0) if ("value",) in paths else quota.value
    if wanted < 0:
        raise invalid(f"quota value must be non-negative, got {wanted}")
    if wanted > quota.maximum:
        raise invalid(f"quota value {wanted} exceeds the approved maximum {quota.maximum}")
    quota.value, quota.updated_at = wanted, now
    account.quotas[quota_id] = quota
    return call.rendered(schema.QUOTA, _quota_value(account, quota))


# -- routers -----------------------------------------------------------------------------------


async def list_routers(call: Call) -> Answer:
    """ListRouters: the user's and the platform's."""
    account = call.account()
    values = [routers.message_value(router) for router in account.routers.values()]
    values += routers.generated_values(account).values()
    return call.page("routers", schema.ROUTER, values)


async def get_router(call: Call) -> Answer:
    """GetRouter."""
    account = call.account()
    router_id = call.id("router")
    router = account.routers.get(router_id)
    generated = routers.generated_values(account).get(router_id)
    value = generated if router is None else routers.message_value(router)
    if value is None:
        raise not_found("router", f"{account.name}/routers/{router_id}")
    return call.rendered(schema.ROUTER, value)


def _own_router(call: Call, account: Account) -> Router:
    router_id = call.id("router")
    router = account.routers.get(router_id)
    if router is None:
        routers.refuse_generated(account, router_id)
        raise not_found("router", f"{account.name}/routers/{router_id}")
    return router


async def create_router(call: Call) -> Answer:
    """CreateRouter."""
    account = call.account()
    emulation = call.emulation
    _, spec = await call.body(schema.ROUTER)
    routers.check(account, spec)
    router_id = call.text("routerId")
    if router_id:
        validation.check_id("router", router_id)
    else:
        router_id = shapes.random_id(emulation.rng)
    if router_id in account.routers or router_id in routers.generated_values(account):
        raise already_exists("router", f"{account.name}/routers/{router_id}")
    router = Router(account.id, router_id, spec, emulation.now(), account.email)
    account.routers[router_id] = router
    return call.rendered(schema.ROUTER, routers.message_value(router))


async def update_router(call: Call) -> Answer:
    """UpdateRouter: choosing one strategy drops the other."""
    account = call.account()
    router = _own_router(call, account)
    raw, change = await call.body(schema.ROUTER)
    paths = update_paths(call, schema.ROUTER, raw)
    spec = masks.apply(schema.ROUTER, router.spec, change, paths)
    chosen = {"weightedRandom", "evenLoad"} & change.keys()
    if len(chosen) == 1:
        spec.pop(({"weightedRandom", "evenLoad"} - chosen).pop(), None)
    routers.check(account, spec)
    router.spec = spec
    return call.rendered(schema.ROUTER, routers.message_value(router))


async def delete_router(call: Call) -> Answer:
    """DeleteRouter."""
    account = call.account()
    del account.routers[_own_router(call, account).id]
    return {}
