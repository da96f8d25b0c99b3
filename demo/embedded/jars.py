"""The jars of Apache Kafka: locked by version and SHA-256, fetched once, checked at every start."""

import hashlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.embedded.errors import EmbeddedError

KAFKA_VERSION = "4.1.2"
# kafka-clients by name: without it jgo picks an older one, and the broker dies with NoSuchMethodError.
ROOTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3",
)
LOCK = Path(__file__).with_name("kafka.lock.json")
PARALLEL_DOWNLOADS = 6
ATTEMPTS = 3
TIMEOUT_SECONDS = 30
REPORT_EVERY = 5
"""Progress is said this many times in all."""

Say = Callable[[str], None]


def say_on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    coordinate: str
    """group:artifact:version, as Maven writes it."""
    sha256: str
    bytes: int

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_at(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_size == self.bytes and sha256_of(path) == self.sha256


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locked_jars() -> list[Jar]:
    return [Jar(**jar) for jar in json.loads(LOCK.read_text())]


def cache_folder() -> Path:
    """MEMBER_NOTICES_CACHE, else member-notices in the user's cache folder."""
    if given := os.environ.get("MEMBER_NOTICES_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "member-notices"


def fetch_jars(cache: Path | None = None, *, jars: list[Jar] | None = None, say: Say = say_on_stderr) -> Path:
    """Return the folder that holds exactly the locked jars, each with its recorded SHA-256.

    Downloads only what is missing or damaged; needs no network if nothing is.
    """
    jars = locked_jars() if jars is None else jars
    folder = (cache or cache_folder()) / f"kafka-{KAFKA_VERSION}"
    missing = [jar for jar in jars if not jar.is_at(folder / jar.file_name)]
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(missing, folder, say)
        except OSError as error:
            raise EmbeddedError(
                f"Cannot keep Kafka's jars in {folder} ({error.strerror or error}); "
                "name another folder: MEMBER_NOTICES_CACHE=<folder>."
            ) from error
    return folder


def _download(jars: list[Jar], folder: Path, say: Say) -> None:
    say(f"Apache Kafka {KAFKA_VERSION}: downloading {len(jars)} jars, {_mb(jars)} MB, once, into {folder}")
    progress = _Progress(sum(jar.bytes for jar in jars), say)
    # A folder of its own beside the target: a download that was cut off is never taken for a jar, and two processes
    # that start at once do not disturb each other.
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:

        def fetch(jar: Jar) -> None:
            _download_one(jar, Path(partial), progress).replace(folder / jar.file_name)

        with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            for _ in pool.map(fetch, jars):
                pass


def _download_one(jar: Jar, partial: Path, progress: "_Progress") -> Path:
    import requests  # noqa: PLC0415 - jgo's own HTTP library; not needed once the jars are here
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    resolver = PythonResolver(progress_callback=progress.of_file)
    for attempt in range(1, ATTEMPTS + 1):
        context = MavenContext(
            resolver=resolver,
            repo_cache=partial / f"{jar.file_name}-{attempt}",
            timeout=TIMEOUT_SECONDS,
            remote_repos=_repositories(),
        )
        try:
            path: Path = context.create_dependency(jar.coordinate).artifact.resolve()
        except (requests.RequestException, RuntimeError) as error:
            if attempt == ATTEMPTS:
                raise EmbeddedError(
                    f"Cannot download {jar.coordinate} ({type(error).__name__}): check the network and the proxy "
                    "(HTTPS_PROXY), or name your Maven mirror: MAVEN_REPOSITORY_URL=<address>."
                ) from error
            continue
        break
    if not jar.is_at(path):
        raise EmbeddedError(
            f"{jar.coordinate} as downloaded has SHA-256 {sha256_of(path)}, recorded is {jar.sha256}: refused. "
            "A proxy or mirror altered it, or the lock is wrong."
        )
    return path


def _repositories() -> dict[str, str] | None:
    """None: jgo's default, Maven Central."""
    mirror = os.environ.get("MAVEN_REPOSITORY_URL")
    return {"mirror": mirror.rstrip("/")} if mirror else None


class _Progress:
    """Counts bytes of all downloads together."""

    def __init__(self, total: int, say: Say) -> None:
        self._total, self._done, self._said, self._say = total, 0, 0, say
        self._lock = threading.Lock()

    @contextmanager
    def of_file(self, _name: str, _bytes: int) -> Iterator[Callable[[int], None]]:
        yield self._add

    def _add(self, count: int) -> None:
        with self._lock:
            self._done += count
            step = min(self._done, self._total) * REPORT_EVERY // self._total
            if step > self._said:
                self._said = step
                self._say(f"  {self._done / 1e6:.0f} of {self._total / 1e6:.0f} MB")


def _mb(jars: list[Jar]) -> str:
    return f"{sum(jar.bytes for jar in jars) / 1e6:.0f}"


def write_lock() -> None:
    """Resolve ROOTS with all they need, and record what the repository delivers."""
    import jgo  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["M2_REPO"] = scratch
        jars = []
        for artifact in jgo.resolve("+".join(ROOTS)):
            path = artifact.resolve()
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            jars.append(Jar(coordinate=coordinate, sha256=sha256_of(path), bytes=path.stat().st_size))
    jars.sort(key=lambda jar: jar.coordinate)
    LOCK.write_text(json.dumps([asdict(jar) for jar in jars], indent=2) + "\n")
    print(f"{LOCK}: {len(jars)} jars, {_mb(jars)} MB")
