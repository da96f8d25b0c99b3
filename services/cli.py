"""`member-notices`: the one program. The only module that may import every service, and it does so lazily."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="member-notices",
    help="The notification backbone of an insurer's member portal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """What the world around us refuses ends in one sentence; a traceback is a defect of ours."""
    try:
        app()
    except Exception as error:
        sentence = _way_out(error)
        if sentence is None:
            raise
        raise SystemExit(f"member-notices: {sentence}") from None


def _way_out(error: Exception) -> str | None:
    """By the name of the package it comes from: a command that fails early has not imported the others."""
    cause: Any = getattr(error, "orig", None) or error
    told = f"{type(cause).__name__} {getattr(cause, 'sqlstate', None) or ''}".rstrip()
    package = type(error).__module__.partition(".")[0]
    if package in {"asyncpg", "sqlalchemy"}:
        return f"the database refused ({told}). Check DATABASE_URL, and whether member-notices migrate has run."
    if package == "aiokafka" or type(error).__name__ == "BrokerAwayError":
        return f"Kafka refused ({told}). Check KAFKA_BOOTSTRAP_SERVERS, then member-notices topics check."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ConnectionError | TimeoutError):
        return f"nobody answers ({told}). Check DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS."
    return None


def _run(coroutine: Any) -> None:
    """On uvloop where there is one. The exit status is the service's."""
    if sys.platform == "win32":
        raise SystemExit(asyncio.run(coroutine))
    import uvloop

    raise SystemExit(uvloop.run(coroutine))


@app.command("auth-events")
def auth_events() -> None:
    """Run the intake: upstream events in, contract events out."""
    from services.auth_events.main import run
    from services.auth_events.settings import AuthEventsSettings
    from services.runtime.settings import load

    _run(run(load(AuthEventsSettings, "auth-events")))


@app.command()
def notifier(
    lanes: Annotated[str | None, typer.Option(help="Only these lanes, separated by commas: codes,security …")] = None,
) -> None:
    """Run the notifier: contract events in, messages out."""
    from services.notifier.main import run
    from services.notifier.settings import NotifierSettings
    from services.runtime.settings import load

    _run(run(load(NotifierSettings, "notifier", **({"lanes": lanes} if lanes else {}))))


@app.command("complaint-sla")
def complaint_sla() -> None:
    """Keep complaint deadlines: the desk's events in, letters due and deadlines kept or missed out."""
    from services.complaint_sla.main import run
    from services.complaint_sla.settings import ComplaintSlaSettings
    from services.runtime.settings import load

    _run(run(load(ComplaintSlaSettings, "complaint-sla")))


@app.command()
def probe(
    once: Annotated[bool, typer.Option("--once", help="One canary; says how long it took, exit 0 or 1")] = False,
) -> None:
    """Send a canary code through the real path, every minute, and measure what a member would have waited."""
    from services.probe import main as canaries
    from services.probe.settings import ProbeSettings
    from services.runtime.settings import load

    settings = load(ProbeSettings, "probe")
    _run(canaries.once(settings, typer.echo) if once else canaries.run(settings))


@app.command()
def console() -> None:
    """Serve the console: what is open, what went wrong and why, for people; it changes nothing."""
    from services.console.main import run
    from services.console.settings import ConsoleSettings
    from services.runtime.settings import load

    _run(run(load(ConsoleSettings, "console")))


@app.command()
def migrate() -> None:
    """Bring the database to this version; safe beside running services of the version before."""
    from services.runtime.migrations import upgrade
    from services.runtime.settings import DatabaseSettings, load

    settings = load(DatabaseSettings, "migrate")
    for directory in sorted(Path(__file__).parent.glob("*/migrations")):
        schema = directory.parent.name
        upgrade(str(settings.database_url), schema, directory)
        typer.echo(f"{schema}: up to date")


topics = typer.Typer(help="The contract's topics.", no_args_is_help=True)
app.add_typer(topics, name="topics")


@topics.command()
def create(
    partitions: Annotated[int | None, typer.Option(min=1, help="For all of them; else as the contract says")] = None,
    replication: Annotated[int, typer.Option(min=1, help="3 in production")] = 1,
) -> None:
    """Create what is missing; what exists is left as it is."""
    from schemas.topics import TOPICS
    from services.runtime.settings import KafkaSettings, load
    from services.runtime.topics import create_topics

    settings = load(KafkaSettings, "topics create")
    wanted = TOPICS.values()
    for line in asyncio.run(create_topics(settings, wanted, partitions=partitions, replication=replication)):
        typer.echo(line)


@topics.command()
def check() -> None:
    """Compare the broker's topics with the contract; exit 1 and say what differs."""
    from schemas.topics import TOPICS
    from services.runtime.settings import KafkaSettings, load
    from services.runtime.topics import check_topics

    settings = load(KafkaSettings, "topics check")
    problems = asyncio.run(check_topics(settings, TOPICS.values()))
    for line in problems or ["every topic is as the contract says"]:
        typer.echo(line)
    raise typer.Exit(1 if problems else 0)


@app.command()
def publish(
    file: Annotated[
        Path | None, typer.Argument(help="A CloudEvent in structured JSON; standard input without it")
    ] = None,
) -> None:
    """Publish one CloudEvent straight onto its topic, validated first."""
    from schemas.envelope import EventError, parse_json, read_event, write_structured
    from schemas.topics import TOPIC_OF_TYPE
    from services.runtime.kafka import producer_of
    from services.runtime.publisher import Message, Publisher
    from services.runtime.settings import KafkaSettings, load

    settings = load(KafkaSettings, "publish")
    try:
        event = read_event(parse_json(file.read_bytes() if file else sys.stdin.buffer.read()), publishing=True)
    except EventError as error:
        raise SystemExit(f"not published: {error.reason}") from None

    async def send() -> None:
        value, headers = write_structured(event)
        publisher = Publisher(lambda: producer_of(settings, "publish"))
        message = Message(
            topic=TOPIC_OF_TYPE[event.type].name, key=event.subject.encode(), value=value, headers=headers
        )
        try:
            await publisher.publish([message], timeout=10)
        finally:
            await publisher.stop()

    asyncio.run(send())
    typer.echo(json.dumps({"topic": TOPIC_OF_TYPE[event.type].name, "source": event.source, "id": event.id}))


Why = Annotated[str, typer.Option("--why", help="Kept with the record of it; no names, no addresses")]
Who = Annotated[
    str | None, typer.Option("--who", help="Kept with the record of it; the user of this machine without it")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it only what would happen")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines")]


def _by_hand(who: str | None, because: str) -> tuple[str, str]:
    """Who and why, or exit: nothing is done by hand without them."""
    import getpass

    try:
        who = who or getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        raise SystemExit("This machine does not know who you are: say it with --who.") from None
    because = because.strip()
    if not (because and because.isprintable() and len(because) <= 500 and who.isprintable() and len(who) <= 100):
        raise SystemExit("--why is one line of 1 to 500 characters, --who one of 1 to 100.")
    return who, because


@app.command()
def why(
    id: Annotated[str, typer.Argument(help="A complaint, an event (source|id or id), a notification or an outcome")],
    as_json: AsJson = False,
) -> None:
    """The whole story of a complaint, an event or a notification, with the rule behind each step."""
    from services.runtime.settings import ProcessSettings, load

    _run(tell_all(load(ProcessSettings, "why"), id, as_json=as_json, say=typer.echo))


async def tell_all(settings: Any, asked: str, *, as_json: bool, say: Callable[[str], None], clock: Any = None) -> int:
    """A complaint; or what was said of one, then what the notifier did with it; or what the notifier alone knows."""
    from services.complaint_sla.why_command import find
    from services.notifier.desk_commands import tell_why

    found = await find(settings, asked, clock)
    if found is None:
        return await tell_why(settings, asked, as_json=as_json, say=say, clock=clock)
    if not found.by_event:
        say(json.dumps(found.document, indent=2, ensure_ascii=False) if as_json else found.text)
        return 0
    told: list[str] = []
    status = await tell_why(settings, asked, as_json=as_json, say=told.append, clock=clock)
    if as_json:
        both = {"complaint": found.document, "stories": [story for each in told for story in json.loads(each)]}
        told = [json.dumps(both, indent=2, ensure_ascii=False)]
    else:
        told.insert(0, f"{found.text}\n")
    for each in told:
        say(each)
    return status


notifications = typer.Typer(help="What was sent, and what was not.", no_args_is_help=True)
app.add_typer(notifications, name="notifications")


@notifications.command("show")
def show_notification(id: Annotated[str, typer.Argument(help="Its UUID")], as_json: AsJson = False) -> None:
    """Every column of a notification, private contents masked."""
    from services.notifier.desk_commands import show
    from services.runtime.settings import ProcessSettings, load

    _run(show(load(ProcessSettings, "notifications show"), id, as_json=as_json, say=typer.echo))


@notifications.command("retry")
def retry_notifications(
    ids: Annotated[list[str], typer.Argument(help="Their UUIDs")],
    because: Why,
    who: Who = None,
    yes: Yes = False,
) -> None:
    """Re-open what failed, or is unknown, while it is still in time."""
    from services.notifier.desk_commands import retry
    from services.runtime.settings import ProcessSettings, load

    settings = load(ProcessSettings, "notifications retry")
    who, because = _by_hand(who, because)
    _run(retry(settings, ids, because=because, who=who, yes=yes, say=typer.echo))


suppressions = typer.Typer(help="Addresses that nothing goes to: bounced, or opted out.", no_args_is_help=True)
app.add_typer(suppressions, name="suppressions")


@suppressions.command("list")
def list_suppressions(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the latest first")] = 50,
    as_json: AsJson = False,
) -> None:
    """What is in force, by the notification that taught it."""
    from services.notifier.suppression_commands import list_suppressions as list_
    from services.runtime.settings import ProcessSettings, load

    _run(list_(load(ProcessSettings, "suppressions list"), limit, as_json=as_json, say=typer.echo))


@suppressions.command("lift")
def lift_suppression(  # noqa: PLR0913, PLR0917, RUF100 (options)
    because: Why,
    id: Annotated[str | None, typer.Argument(help="The notification's UUID, as list shows it")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="All that bounced since: 90m, 2h, 3d, or a time with its zone")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="... and before; now without it")] = None,
    who: Who = None,
    yes: Yes = False,
) -> None:
    """Send to that address again, from the next message on; or to all that a relay's mistake closed (with --yes)."""
    from datetime import UTC, datetime

    from services.notifier.suppression_commands import lift, lift_between
    from services.runtime.commands import time_of
    from services.runtime.settings import ProcessSettings, load

    if (id is None) == (since is None) or (until and not since):
        raise SystemExit("Name one notification, or all --since a time (and --until another); not both, not neither.")
    settings, now = load(ProcessSettings, "suppressions lift"), datetime.now(UTC)
    who, because = _by_hand(who, because)
    if id is not None:
        _run(lift(settings, id, because=because, who=who, say=typer.echo))
    elif since is not None:
        first, last = time_of("--since", since, now), time_of("--until", until, now) if until else now
        _run(lift_between(settings, first, last, because=because, who=who, yes=yes, say=typer.echo))


letters = typer.Typer(help="Letters of complaints, kept as they left for six years.", no_args_is_help=True)
app.add_typer(letters, name="letters")


@letters.command("list")
def list_letters(complaint: Annotated[str, typer.Argument(help="The complaint's id")]) -> None:
    """Which letters of a complaint are kept."""
    from services.notifier.kept_letter_commands import list_letters as list_
    from services.runtime.settings import ProcessSettings, load

    _run(list_(load(ProcessSettings, "letters list"), complaint, say=typer.echo))


@letters.command("show")
def show_letter(
    id: Annotated[str, typer.Argument(help="Its UUID, as list shows it")],
    because: Why,
    who: Who = None,
    first: Annotated[bool, typer.Option("--first", help="Of two, the one before it was marked")] = False,
) -> None:
    """The message on standard output, as it left, attachments and all; recorded."""
    from services.notifier.kept_letter_commands import show_letter as show_
    from services.runtime.settings import ProcessSettings, load

    settings = load(ProcessSettings, "letters show")
    who, because = _by_hand(who, because)
    _run(show_(settings, id, first=first, because=because, who=who, say=typer.echo, write=sys.stdout.buffer.write))


@app.command()
def bounce(yes: Yes = False) -> None:
    """A delivery report (RFC 3464) on standard input: what it says did not arrive ends bounced."""
    from services.notifier.bounce_command import bounce as take
    from services.notifier.bounces import MAX_BYTES
    from services.runtime.settings import ProcessSettings, load

    settings = load(ProcessSettings, "bounce")
    _run(take(settings, sys.stdin.buffer.read(MAX_BYTES + 1), yes=yes, say=typer.echo))


dead_letters = typer.Typer(help="What could not be accepted.", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")
Reason = Annotated[
    str | None, typer.Option("--reason", help="How the reason begins: id-reused, data-invalid: data.phone")
]
OriginTopic = Annotated[str | None, typer.Option("--topic", help="The topic it was read from")]
Since = Annotated[str | None, typer.Option("--since", help="90m, 2h, 3d, or a time with its zone")]


def _filter(reason: str | None, topic: str | None, since: str | None, **more: Any) -> Any:
    from datetime import UTC, datetime

    from services.notifier import dead_letter_commands as commands
    from services.runtime.commands import time_of

    at = time_of("--since", since, datetime.now(UTC)) if since else None
    return commands.Filter(reason=reason, topic=topic, since=at, **more)


@dead_letters.command("list")
def list_dead_letters(  # noqa: PLR0913, PLR0917, RUF100 (options)
    reason: Reason = None,
    topic: OriginTopic = None,
    since: Since = None,
    event: Annotated[str | None, typer.Option(help="source|id or id: opens them to look for it")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest, with where they came from and whether they were replayed."""
    from services.notifier.dead_letter_commands import list_letters
    from services.runtime.settings import ProcessSettings, load

    settings, wanted = load(ProcessSettings, "dead-letters list"), _filter(reason, topic, since, event=event)
    _run(list_letters(settings, wanted, limit=limit, as_json=as_json, say=typer.echo))


@dead_letters.command("show")
def show_dead_letter(
    origin: Annotated[str, typer.Argument(help="topic/partition/offset, as list shows it")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Contents as they are; recorded, so --why is needed")
    ] = False,
    because: Annotated[str, typer.Option("--why", help="Why it must be seen; kept with the record of it")] = "",
    who: Who = None,
) -> None:
    """One of them: reason and contents, masked."""
    from services.notifier.dead_letter_commands import show_letter
    from services.runtime.settings import ProcessSettings, load

    settings = load(ProcessSettings, "dead-letters show")
    who, because = _by_hand(who, because) if reveal else ("", "")
    _run(show_letter(settings, origin, reveal=reveal, because=because, who=who, say=typer.echo))


@dead_letters.command("replay")
def replay_dead_letters(  # noqa: PLR0913, PLR0917, RUF100 (options)
    because: Why,
    origins: Annotated[list[str] | None, typer.Argument(help="topic/partition/offset, as list shows them")] = None,
    reason: Reason = None,
    topic: OriginTopic = None,
    since: Since = None,
    who: Who = None,
    yes: Yes = False,
) -> None:
    """Publish the original records again, byte for byte, onto the topics they came from."""
    from services.notifier.dead_letter_commands import replay
    from services.runtime.settings import ProcessSettings, load

    if bool(origins) == bool(reason):
        raise SystemExit("Name dead letters by origin, or all of one --reason; not both, not neither.")
    settings = load(ProcessSettings, "dead-letters replay")
    wanted = _filter(reason, topic, since, origins=frozenset(origins or ()))
    who, because = _by_hand(who, because)
    _run(replay(settings, wanted, because=because, who=who, yes=yes, say=typer.echo))


@app.command()
def deadlines(  # noqa: PLR0913, PLR0917, RUF100 (options)
    licence: Annotated[str, typer.Option(help="uk, be, je or gg")],
    received: Annotated[str, typer.Option(help="First receipt anywhere in the firm, with its zone: 2026-12-24T16:30Z")],
    calendar: Annotated[str | None, typer.Option(help="The one the policy names: scotland, northern-ireland")] = None,
    category: Annotated[str, typer.Option(help="Chooses among the licence's procedures")] = "complaint",
    as_json: AsJson = False,
    as_ics: Annotated[bool, typer.Option("--ics", help="For a calendar")] = False,
) -> None:
    """What a complaint received then is owed, by when, and how that was counted."""
    from datetime import UTC, datetime

    from services.complaint_sla.deadlines_command import instant, show
    from services.complaint_sla.procedure import Receipt

    if as_json and as_ics:
        raise SystemExit("Either --json or --ics.")
    try:
        receipt = Receipt(received_at=instant(received), licence=licence, calendar=calendar, category=category)
        show(receipt, "json" if as_json else "ics" if as_ics else "page", datetime.now(UTC), sys.stdout.write)
    except ValueError as error:
        raise SystemExit(f"No deadlines: {error}") from None


@app.command()
def preview(
    out: Annotated[Path, typer.Option(help="The folder to write")] = Path("var/gallery"),
    notice: Annotated[list[str] | None, typer.Option(help="Only this notice; may be repeated")] = None,
    against: Annotated[str | None, typer.Option(help="Only what differs from this git revision, side by side")] = None,
) -> None:
    """A gallery of every notice in every language and brand: light, dark, phone, text, SMS, portal."""
    from services.notifier.preview_command import preview as write

    try:
        typer.echo(write(out, frozenset(notice or ()), against))
    except ValueError as error:
        raise SystemExit(f"No gallery: {error}") from None


@app.command("send-test")
def send_test(  # noqa: PLR0913, PLR0917, RUF100 (options)
    notice: Annotated[str, typer.Argument(help="As the catalogue calls it: password-changed; a wrong one lists them")],
    brand: Annotated[str, typer.Option(help="cigna-healthcare, cm …")],
    language: Annotated[str, typer.Option(help="One of the brand's: en, fr, nl, de")],
    to: Annotated[str, typer.Option(help="An e-mail address, a phone number in E.164, or a member's id for in-app")],
    channel: Annotated[str | None, typer.Option(help="email, sms or in-app; else as --to looks")] = None,
    example: Annotated[str | None, typer.Option(help="Of its examples, this one: minimal, old …")] = None,
) -> None:
    """Send one notice with sample facts through the channel as configured. Exit 0 taken, 1 not sent, 3 perhaps.

    It is marked as a test, obeys DELIVERY_MODE, and does not touch the ledger: of the notifier's settings it needs
    DELIVERY_MODE and those of the one channel.
    """
    from services.notifier.send_test_command import Wanted, choose, settings_for
    from services.notifier.send_test_command import send_test as send

    wanted = Wanted(notice=notice, brand=brand, language=language, to=to, channel=channel, example=example)
    chosen = choose(wanted)
    _run(send(settings_for(chosen.channel), chosen, say=typer.echo))


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="Play the day once, check it, exit 0 or 1")] = False,
) -> None:
    """A day in the life of a member, on real parts, with an inbox to look at."""
    from demo.main import run

    raise SystemExit(run(once=once))


if __name__ == "__main__":
    main()
