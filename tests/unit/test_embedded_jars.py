"""Kafka's jars: fetched from a Maven repository that we run, refused when they differ, never fetched twice."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from demo.embedded.errors import EmbeddedError
from demo.embedded.jars import KAFKA_VERSION, ROOTS, Jar, cache_folder, fetch_jars, locked_jars
from demo.embedded.java import find_java, parse_java_version

CONTENT = {"one": b"first jar" * 100, "two": b"second jar" * 100}
JARS = [
    Jar(coordinate=f"org.example:{name}:1.0", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    for name, content in CONTENT.items()
]


class Repository:
    """What a Maven repository serves, and what it was asked for."""

    def __init__(self) -> None:
        self.files = {f"/org/example/{name}/1.0/{name}-1.0.jar": content for name, content in CONTENT.items()}
        self.asked: list[str] = []


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    served = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = served.files.get(self.path)
            served.asked.append(self.path)
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Nothing: the test asks what was served."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("MAVEN_REPOSITORY_URL", f"http://127.0.0.1:{server.server_port}/")
        yield served
        server.shutdown()


def fetch(cache: Path, said: list[str] | None = None) -> Path:
    return fetch_jars(cache, jars=JARS, say=(said if said is not None else []).append)


@pytest.mark.usefixtures("repository")
def test_missing_jars_are_fetched_and_said_with_their_size(tmp_path: Path) -> None:
    said: list[str] = []
    folder = fetch(tmp_path, said)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "one-1.0.jar": CONTENT["one"],
        "two-1.0.jar": CONTENT["two"],
    }
    assert "2 jars" in said[0]
    assert str(folder) in said[0]
    assert len(said) > 1


def test_a_second_start_asks_nobody(repository: Repository, tmp_path: Path) -> None:
    fetch(tmp_path)
    repository.asked.clear()
    said: list[str] = []
    fetch(tmp_path, said)
    assert repository.asked == []
    assert said == []


def test_only_a_damaged_jar_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    damaged = fetch(tmp_path) / "one-1.0.jar"
    damaged.write_bytes(b"x" * len(CONTENT["one"]))
    repository.asked.clear()
    fetch(tmp_path)
    assert damaged.read_bytes() == CONTENT["one"]
    assert {path for path in repository.asked if path.endswith(".jar")} == {"/org/example/one/1.0/one-1.0.jar"}


def test_a_jar_that_differs_from_its_recorded_hash_is_refused(repository: Repository, tmp_path: Path) -> None:
    path = "/org/example/one/1.0/one-1.0.jar"
    repository.files[path] = altered = b"altered!!" * 100
    with pytest.raises(EmbeddedError, match=rf"one:1\.0 .*{hashlib.sha256(altered).hexdigest()}.* refused"):
        fetch(tmp_path)
    assert not (tmp_path / f"kafka-{KAFKA_VERSION}" / "one-1.0.jar").exists()


def test_a_repository_without_the_jar_is_named_with_what_to_do(repository: Repository, tmp_path: Path) -> None:
    repository.files.clear()
    with pytest.raises(EmbeddedError, match=r"Cannot download org\.example:(one|two):1\.0 .*MAVEN_REPOSITORY_URL"):
        fetch(tmp_path)
    assert list((tmp_path / f"kafka-{KAFKA_VERSION}").iterdir()) == []


@pytest.mark.usefixtures("repository")
def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(EmbeddedError, match=r"Cannot keep Kafka's jars in .*MEMBER_NOTICES_CACHE=<folder>"):
        fetch(in_the_way)


def test_the_lock_holds_each_jar_once_and_what_we_asked_for() -> None:
    jars = locked_jars()
    names = [jar.file_name for jar in jars]
    assert len(set(names)) == len(names)
    assert set(ROOTS) <= {jar.coordinate for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)


def test_the_cache_is_the_users_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMBER_NOTICES_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/member-notices")
    monkeypatch.setenv("MEMBER_NOTICES_CACHE", "/named")
    assert cache_folder() == Path("/named")


@pytest.mark.parametrize(
    ("first_line", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ('java version "1.8.0_402"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21.0.2" 2024-01-16', 21),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_version_of_a_java_is_read(first_line: str, release: int | None) -> None:
    assert parse_java_version(first_line) == release


@pytest.mark.parametrize(("release", "taken"), [("17.0.1", True), ("11.0.2", False)])
def test_a_java_of_the_machine_is_taken_if_it_is_new_enough(tmp_path: Path, release: str, *, taken: bool) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{release}\"' >&2\n")
    java.chmod(0o755)
    newer = tmp_path / "path" / "java"
    newer.parent.mkdir()
    newer.write_text("#!/bin/sh\necho 'openjdk version \"21\"' >&2\n")
    newer.chmod(0o755)
    environ = {"JAVA_HOME": str(tmp_path), "PATH": str(newer.parent)}
    assert find_java(environ) == (java if taken else newer)
