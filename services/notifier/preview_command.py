"""`member-notices preview`: the gallery into a folder, of this checkout or against one of its revisions."""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from services.notifier import gallery
from services.notifier.brands import load_brands
from services.notifier.catalogue import CATALOGUE, misfits
from services.notifier.compose import Composer, known_facts, load_catalogue
from services.notifier.samples import Sample, samples

HERE = Path(__file__).parent


def preview(out: Path, notices: frozenset[str], against: str | None) -> str:
    """Returns a line for the terminal. Raises `ValueError`: an unknown notice or revision, brands or templates that are
    wrong."""
    if unknown := notices - {notice.name for notice in CATALOGUE}:
        raise ValueError(f"no notice is called {', '.join(sorted(unknown))}; the catalogue has them")
    brands = load_brands()
    if problems := misfits(brands.keys()):
        raise ValueError("\n".join(problems))
    wanted = [sample for sample in samples(brands) if not notices or sample.notice in notices]
    before = None if against is None else _as_of(against, wanted)
    count = gallery.write(out, wanted, load_catalogue(brands, notices), before)
    if before is not None and not count:
        return f"Nothing differs from {against}."
    gallery.write_doubts(out, brands)
    return f"{count} messages in {out / 'index.html'}"


def _as_of(revision: str, wanted: Iterable[Sample]) -> Composer:
    """Templates and brands of then, with the code of now."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with tarfile.open(fileobj=BytesIO(_archive(revision))) as tar:
            tar.extractall(root, filter="data")
        brands = load_brands(root / "brands")
        there = {
            sample.key
            for sample in wanted
            if (root / "templates" / sample.notice / f"{sample.locale}.md").exists()
            and sample.locale in getattr(brands.get(sample.brand), "languages", ())
        }
        return Composer.load(there, known=known_facts(), templates=root / "templates", brands=brands)


def _archive(revision: str) -> bytes:
    if revision.startswith("-"):
        raise ValueError("a revision is a branch, a tag or a commit")
    done = subprocess.run(  # noqa: S603 (git, with a revision that is no option)
        ["git", "-C", str(HERE), "archive", "--format=tar", revision, "templates", "brands"],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise ValueError(f"git knows no revision {revision!r} of the templates here")
    return done.stdout
