"""The block that says: it runs, this is how to use it."""

from rich.console import Console
from rich.table import Table

from services.up.demonstration import Demonstration
from services.up.places import Places
from services.up.sink import LINKS


def show(console: Console, places: Places, demonstration: Demonstration, seconds: float) -> None:
    """Print the *ready* block: what a person at this terminal needs, once."""
    rule = "─" * 78
    people = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("username", "password", "authenticator's secret (base32)", "role"):
        people.add_column(column, no_wrap=True, overflow="fold")
    for one in demonstration.people:
        people.add_row(one.username, one.password, one.secret or "none: 2FA is off", one.role)
    console.print(rule)
    console.print(f"[bold green]Twofold is ready[/] (in {seconds:.1f} s)")
    console.print()
    for name, what in (
        ("log in", demonstration.auth_url),
        ("people, settings", f"{demonstration.staff_url}/staff"),
        (
            "HTTP API",
            f"{demonstration.auth_url}/openapi.json, {demonstration.staff_url}/openapi.json",
        ),
        ("Kafka", demonstration.kafka),
        ("organisation", demonstration.organisation_id),
        ("mails, reset links", f"{places.mail / LINKS}, newest last"),
        ("logs", f"{places.logs}/"),
    ):
        console.print(f"  {name:<20}{what}", soft_wrap=True, highlight=False)
    console.print()
    console.print(people, soft_wrap=True, highlight=False)
    console.print()
    console.print("  a code:   oathtool --totp -b SECRET   (each code works once)", highlight=False)
    console.print("  show it:  make demo, in another terminal", highlight=False)
    console.print("  stop:     Ctrl-C; make run finds all its data again", highlight=False)
    console.print("  forget:   make reset", highlight=False)
    console.print(rule)
