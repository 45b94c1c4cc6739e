"""Commands that keep something running: everything at once, or one service."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from services.cli import told
from services.cli.failures import is_expected

Host = Annotated[str, typer.Option(help="Address to listen on.")]
MetricsHost = Annotated[str, typer.Option(help="Address to listen on for whoever runs it.")]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port of health and metrics there.",
        show_default="--port and 1000 more",
    ),
]


def up() -> None:
    """Bring everything up on this machine until Ctrl-C: servers, services, a demonstration."""
    from services.up.places import Places  # noqa: PLC0415
    from services.up.run import up as run  # noqa: PLC0415

    run(Places())


def auth(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    metrics_host: MetricsHost = "127.0.0.1",
    metrics_port: MetricsPort = None,
) -> None:
    """Run the auth service: login, new passwords, authenticators, sessions."""
    settings = told.settings()
    from services.auth.main import run  # noqa: PLC0415

    metrics = metrics_host, _metrics_port(metrics_port, port)
    _serve("auth", lambda: run(settings, host=host, port=port, metrics=metrics))


def staff(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8001,
    metrics_host: MetricsHost = "127.0.0.1",
    metrics_port: MetricsPort = None,
) -> None:
    """Run the staff service: the consumer of admin commands, profiles, policy."""
    settings = told.settings()
    from services.staff.main import run  # noqa: PLC0415

    metrics = metrics_host, _metrics_port(metrics_port, port)
    _serve("staff", lambda: run(settings, host=host, port=port, metrics=metrics))


def project(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of health and metrics.")] = 8002,
) -> None:
    """Run the projector: folds the history from Kafka into PostgreSQL."""
    settings = told.settings()
    from services.projections.main import run  # noqa: PLC0415

    _serve("project", lambda: run(settings, host=host, port=port))


def notify() -> None:
    """Run the notify service: e-mails and the status topic, from counted events."""
    settings = told.settings()
    from services.notify.main import run  # noqa: PLC0415

    _serve("notify", lambda: run(settings))


def demo() -> None:
    """Show each promised behaviour on the running system, step by step."""
    from services.demo.run import demo as show  # noqa: PLC0415

    show(told.folder())


COMMANDS = (up, auth, staff, project, notify, demo)


def _metrics_port(given: int | None, port: int) -> int:
    from services.settings import metrics_port_of  # noqa: PLC0415

    return metrics_port_of(port) if given is None else given


def _serve(name: str, serving: Callable[[], Coroutine[Any, Any, None]]) -> None:
    from services import logs  # noqa: PLC0415

    logs.configure(name)
    try:
        import uvloop  # noqa: PLC0415

        run: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run
    except ImportError:
        import asyncio  # noqa: PLC0415

        run = asyncio.run
    try:
        run(serving())
    except Exception as error:
        if not is_expected(error):
            import structlog  # noqa: PLC0415

            structlog.get_logger().exception("service.failed")
        raise
