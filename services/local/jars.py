"""Apache Kafka's jars, from Maven Central into the user's cache, once (46 MB)."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
from jgo.maven import MavenContext, PythonResolver

from services.local.cache import Progress, cache
from services.local.child import StartError

COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
_FOLDER = "kafka-4.4.0"
_AT_ONCE = 6


def classpath(progress: Progress) -> str:
    """Return the class path of Kafka's jars; StartError where they cannot be had.

    Only a whole set is ever seen: what was interrupted is fetched anew.
    """
    folder = cache() / _FOLDER
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if not folder.exists():
                _fetch(folder, progress)
    return ":".join(map(str, sorted(folder.rglob("*.jar"))))


def _fetch(folder: Path, progress: Progress) -> None:
    """Fetch into a folder beside it, which takes its name when all is there."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    progress("finding Kafka's jars at Maven Central", 0, 0)
    try:
        # jgo.build() would do all this, and fetch a JDK to sort the jars into modules, which nobody here asks for.
        resolver = PythonResolver()
        context = MavenContext(repo_cache=fresh, resolver=resolver)
        wanted, needed = resolver.resolve([context.create_dependency(one) for one in COORDINATES])
        found = [one.artifact for one in (*wanted, *needed)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done, _ in enumerate(pool.map(lambda artifact: artifact.resolve(), found), 1):
                progress("fetching Kafka's jars", done, len(found))
    except (OSError, RuntimeError, ValueError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise StartError(
            f"Kafka's jars could not be fetched from Maven Central: {error}\n"
            "Check the network, or the proxy in HTTPS_PROXY, and start again; MUSTER_CACHE_DIR names another cache."
        ) from error
    fresh.rename(folder)
