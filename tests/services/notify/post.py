"""A mailbox that a real mail server fills."""

from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from infra.local import ports
from services.up.sink import MailSink, read
from tests.services.projections.worlds import until


@dataclass
class Post:
    """A mail server that can be away, and what it was given."""

    folder: Path
    port: int = field(default_factory=ports.free_port)
    sink: MailSink | None = None

    def open(self) -> None:
        self.sink = MailSink(self.folder, self.port)
        self.sink.start()

    def close(self) -> None:
        if self.sink is not None:
            self.sink.stop()
            self.sink = None

    def mails(self) -> list[EmailMessage]:
        return [read(path.read_bytes()) for path in sorted(self.folder.glob("*.eml"))]

    async def has(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.mails()) >= count

        await until(enough, 30)
