"""
Renders every page with made-up data and photographs it, wide and narrow, light and dark.

For people who design: `.venv/bin/python -m tests.browser.preview [folder] [page …]` writes the
pictures. The tests drive the real services; nothing here stands in for them.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import sync_playwright
from starlette.applications import Starlette
from starlette.responses import Response

from infra.local.ports import free_port
from services.web.pages.site import Site
from services.web.pages.visit import Visit
from services.web.plumbing import Plumbing
from tests.browser.chromium import FLAGS, PROGRAM
from tests.browser.samples import PAGES

SIZES = {"wide": (1280, 900), "narrow": (320, 640)}
NOW = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)


@contextmanager
def previews() -> Iterator[str]:
    """Serve all samples under ``/preview/{number}``; gives the address."""
    url = f"http://127.0.0.1:{free_port()}"
    application = Starlette()
    for package, assets in (
        ("services.auth.web.pages", "/assets"),
        ("services.staff.web.pages", "/staff/assets"),
    ):
        site = Site(
            package=package, url=url, assets_path=assets, start="/", key=_key, now=lambda: NOW
        )
        for name, (of, template, values) in PAGES.items():
            if of == package:
                _add(site, name, template, values)
        application.routes.extend(site.routes)
    port = int(url.rpartition(":")[2])
    config = uvicorn.Config(
        Plumbing(application, service="preview"), port=port, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()


def photograph(folder: Path, names: Sequence[str]) -> None:
    """Write ``<name>-<size>-<scheme>.png`` for each of *names*."""
    folder.mkdir(parents=True, exist_ok=True)
    with previews() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                page = context.new_page()
                for name in names:
                    page.goto(f"{url}/preview/{name}")
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if wide > width:
                        print(f"{name}: {wide} px wide at {width}")  # noqa: T201
                    page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)
                context.close()
        browser.close()


def _add(site: Site, name: str, template: str, values: dict[str, Any]) -> None:
    @site.get(f"/preview/{name}")
    async def sample(visit: Visit) -> Response:
        return visit.page(template, **values)


def _key(purpose: str) -> bytes:
    return purpose.encode().ljust(32, b".")[:32]


if __name__ == "__main__":
    told = sys.argv[1:] or [".twofold/preview"]
    photograph(Path(told[0]), told[1:] or list(PAGES))
