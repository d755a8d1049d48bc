"""Run the emulator on a port: for tests, the demo and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiohttp import web

from trimtab.emulator.app import build_app

if TYPE_CHECKING:
    from types import TracebackType

    from trimtab.emulator.emulation import Emulation


class EmulatorServer:
    """An emulator that listens as long as its context is entered; port 0 picks a free one.

    Give ``base_url`` to any client; reach into ``emulation`` to see or change the world.
    """

    def __init__(self, emulation: Emulation, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.emulation = emulation
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Where it listens; valid once entered."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(
            build_app(self.emulation), handle_signals=False, access_log=None, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
