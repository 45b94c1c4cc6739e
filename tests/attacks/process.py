"""
Services of one system, several to a process: `python -m tests.attacks.process mail auth:8000 …`.

Each is ``name``, ``name:port``, or ``name:port:seconds``, whose decisions' clock is that far ahead;
``name:port:seconds:port`` has its metrics on the last.
What every service is told stands in the environment; so does what its topics are called.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.browser.system import PREFIX, _staff_pages, rename_topics


async def run(wanted: list[str]) -> None:
    """Run them until killed."""
    # After the renaming, for their defaults name topics.
    from services import logs  # noqa: PLC0415
    from services.auth import main as auth  # noqa: PLC0415
    from services.notify import main as notify  # noqa: PLC0415
    from services.projections import main as projections  # noqa: PLC0415
    from services.settings import Settings  # noqa: PLC0415
    from services.staff import main as staff  # noqa: PLC0415
    from services.up.sink import MailSink  # noqa: PLC0415

    logs.configure("system")
    settings = Settings()
    async with asyncio.TaskGroup() as running:
        for one in wanted:
            name, *numbers = one.split(":")
            port = int(numbers[0]) if numbers else 0
            ahead = timedelta(seconds=int(numbers[1]) if len(numbers) > 1 else 0)
            metrics = ("127.0.0.1", int(numbers[2]) if len(numbers) > 2 else 0)
            moved = settings.model_copy(update={"clock_ahead": ahead})
            match name:
                case "auth":
                    running.create_task(auth.run(moved, port=port, metrics=metrics))
                case "staff":
                    running.create_task(staff.run(moved, port=port, metrics=metrics))
                case (
                    "staff-web"
                ):  # Without its consumer: commands are dealt with by the real clock.
                    running.create_task(_staff_pages(moved, port))
                case "projections":
                    running.create_task(projections.run(settings, port=port))
                case "notify":
                    running.create_task(notify.run(settings))
                case "mail":
                    folder = Path(os.environ["TWOFOLD_TEST_MAIL"])
                    MailSink(folder, int(settings.smtp.rpartition(":")[2])).start()
                case _:
                    raise ValueError(one)


if __name__ == "__main__":
    rename_topics(os.environ[PREFIX])
    asyncio.run(run(sys.argv[1:]))
