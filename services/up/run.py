"""`twofold up`: everything on this machine, from nothing to *ready*, until Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Never

import httpx
from rich.console import Console

from events.log import broker
from infra.local.errors import StackError
from infra.local.stack import Server, Stack, start_stack
from services.publisher import CommandSender, PublisherKey
from services.up import keys, places, ready
from services.up.children import Children
from services.up.demonstration import Demonstration, load_or_begin
from services.up.errors import PortInUseError
from services.up.places import FolderLock, Places
from services.up.seed import Seeder
from services.up.sink import MailSink

_LOOK = 0.5  # Seconds between two looks at the children.
_LOOK_AT_SERVERS = 5.0


Say = Callable[[str], None]
Act = Callable[[], None]


class _StopError(Exception):
    """Ctrl-C or SIGTERM."""


def up(settings: Places) -> None:
    """
    Bring everything up, keep it up, and stop it at Ctrl-C or SIGTERM.

    Raises:
        UpError, StackError, KeyRingError: One sentence that says what to do; whatever was started
            is stopped again.
    """
    console = Console(highlight=False)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  {text}", soft_wrap=True)

    with _stopping_on_signals():
        try:
            with ExitStack() as started:
                lock = FolderLock.take(settings.folder)
                started.callback(lock.release)
                _come_up(settings, started, console, began)
        except _StopError:
            say("Stopped. All data is kept; make run goes on with it.")


def _come_up(settings: Places, started: ExitStack, console: Console, began: float) -> Never:
    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  {text}", soft_wrap=True)

    Children.end_leftovers(settings, say)
    settings.check_ports()
    files = keys.KeyFiles.under(settings.keys)
    ring = keys.ensure(files)
    sink = _sink(settings)
    started.callback(sink.stop)
    say("Starting Kafka and PostgreSQL …")
    stack = start_stack(
        settings.folder,
        kafka_port=settings.kafka_port,
        postgres_port=settings.postgres_port,
        say=say,
    )
    started.callback(_uninterrupted(stack.stop))
    say(f"Kafka {stack.kafka} and PostgreSQL are up ({stack.kind}).")
    done = broker.create(stack.kafka, keys=ring.mac.keys, key_id=ring.mac.current)
    if made := asyncio.run(done):
        say(f"Made the topics ({len(made)} steps).")
    told = places.environment(settings, kafka=stack.kafka, database=stack.database)
    places.remember(settings, told)
    children = Children(settings, told, say)
    started.callback(_uninterrupted(children.stop))
    say("Starting auth, staff, project and notify …")
    children.start()
    demonstration = _demonstrate(settings, files, told, say)
    ready.show(console, settings, demonstration, time.monotonic() - began)
    _watch(children, stack, say)


def _sink(settings: Places) -> MailSink:
    sink = MailSink(settings.mail, settings.smtp_port)
    try:
        sink.start()
    except OSError as error:
        raise PortInUseError(
            f"Port {settings.smtp_port} on 127.0.0.1, wanted by the development mail sink, can't be"
            " used: choose another one with TWOFOLD_SMTP_PORT."
        ) from error
    return sink


def _demonstrate(
    settings: Places, files: keys.KeyFiles, told: dict[str, str], say: Say
) -> Demonstration:
    """Seed what is left to be seeded; the file says afterwards how to reach everything."""
    own = places.settings_of(told)
    demonstration = load_or_begin(settings, own.home_organisation)
    demonstration.auth_url, demonstration.staff_url = own.auth_url, own.staff_url
    demonstration.kafka, demonstration.audience = own.kafka, own.commands_audience
    demonstration.operator_key = str(files.operator.resolve())
    demonstration.mail = str(settings.mail.resolve())
    demonstration.save(settings.demo)
    if not demonstration.done:
        say("Making the demonstration organisation …")
        operator = PublisherKey.load(files.operator)
        with (
            CommandSender(own.kafka, operator, audience=own.commands_audience) as sender,
            httpx.Client(base_url=own.auth_url, timeout=30, trust_env=False) as auth,
        ):
            Seeder(
                demonstration,
                settings.demo,
                sender=sender,
                auth=auth,
                mail=settings.mail,
                say=say,
            ).run()
    return demonstration


def _watch(children: Children, stack: Stack, say: Say) -> Never:
    """Until a signal: start again what dies."""
    looked = time.monotonic()
    while True:
        time.sleep(_LOOK)
        children.tend()
        if time.monotonic() - looked > _LOOK_AT_SERVERS:
            looked = time.monotonic()
            _revive("Kafka", stack.kafka_server, say)
            _revive("PostgreSQL", stack.postgres_server, say)


def _revive(name: str, server: Server, say: Say) -> None:
    if not getattr(server, "alive", True):
        say(f"{name} ended; it is started again.")
        try:
            server.start()
        except StackError as error:
            say(str(error))


def _uninterrupted(stop: Act) -> Act:
    """*stop*, during which a second Ctrl-C changes nothing."""

    def stopping() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stop()

    return stopping


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    def stop(*_: object) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        print("\nStopping …", flush=True)  # noqa: T201 -- At once, before anything unwinds.
        raise _StopError

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
