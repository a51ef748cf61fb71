"""A real Elasticsearch node on loopback, without containers, for tests, benchmarks and developers.

The distribution is the one that Elasticsearch's own integration tests run on; Maven fetches it once into a cache
folder. What it leaves out and sulh's mappings need, language analyzers above all, a small plugin beside this file gives
back.

``python -m tests.elastic.node`` runs one in the foreground, ``--secure`` one with TLS, users and API keys.
"""

from __future__ import annotations

import argparse
import base64
import functools
import hashlib
import http.client
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from filelock import FileLock

from tests.elastic.certificate import certify

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

# The newest of Elasticsearch 9 whose distribution was tried here.
VERSION = "9.4.3"
# A server that sulh declines: the newest line before 9.
OLD_VERSION = "8.19.8"
# What Elasticsearch 9 asks of Java.
JAVA = 21
# Elasticsearch refuses to run as root.
SYSTEM_USER = "sulh-tests"
PLUGIN = Path(__file__).with_name("plugin")
# A start takes 8 to 15 seconds on two idle cores; a machine that is busy with other tests gets ten times that.
READY_SECONDS = 150
# Elasticsearch closes its shards in under a second; later than this, it hangs.
STOP_SECONDS = 30

DESCRIPTOR = """\
name=sulh-tests
description=Language analyzers for a test node
version=1
elasticsearch.version={version}
java.version={java}
classname=org.sulh.tests.TestAnalysis
"""

# A server that is being killed may make files for a moment yet, which a folder's removal trips over.
GUARD = """\
cat >/dev/null
kill -s KILL -- "-$1"
[ -n "$2" ] || exit
for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$2" && exit; sleep 1; done
"""

SETTINGS = """\
cluster.name: sulh-tests
node.name: test
path.data: {home}/data
path.logs: {home}/logs
path.repo: {home}/snapshots
network.host: 127.0.0.1
http.port: {port}
# One each, or nodes that run side by side would look for a cluster in each other.
transport.port: 0
discovery.type: single-node
# A test machine's disk may be fuller than Elasticsearch likes.
cluster.routing.allocation.disk.threshold_enabled: false
# The node writes here which port it got.
node.portsfile: true
xpack.security.enabled: {secure}
xpack.security.autoconfiguration.enabled: false
"""

SECURE_SETTINGS = """\
xpack.security.enrollment.enabled: false
xpack.security.authc.api_key.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: node.key
xpack.security.http.ssl.certificate: node.crt
"""


class Lacking(Exception):
    """This machine can't run a node: the message says what it lacks."""


class Broken(Exception):
    """A node did not do what it is here for: the message carries its last words."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the node said to one request."""

    status: int
    json: Any


@dataclass(kw_only=True)
class Running:
    """A node that answers at an address, whoever started it."""

    url: str
    ca: Path | None = None
    admin: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def read(cls, said: str | Path) -> Self:
        """The node whose address is in a file with what ``python -m tests.elastic.node`` printed."""
        known = json.loads(Path(said).read_text(encoding="utf-8"))
        secure = "ca" in known
        return cls(
            url=known["url"],
            ca=Path(known["ca"]) if secure else None,
            admin=(known["user"], known["password"]) if secure else None,
        )

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: tuple[str, str] | None = None,
        api_key: str | None = None,
        anonymous: bool = False,
        seconds: float = 30,
    ) -> Answer:
        """Ask the node as its superuser, or as the user or the API key given; a refusal is an answer too."""
        headers = {"Content-Type": "application/json"}
        name = user or self.admin
        if api_key is not None:
            headers["Authorization"] = f"ApiKey {api_key}"
        elif name and not anonymous:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(name).encode()).decode()
        address = urlsplit(self.url)
        host = address.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host, address.port, timeout=seconds, context=ssl.create_default_context(cafile=str(self.ca))
            )
            if address.scheme == "https"
            else http.client.HTTPConnection(host, address.port, timeout=seconds)
        )
        with closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            with connection.getresponse() as response:
                content = response.read()
                return Answer(status=response.status, json=json.loads(content) if content else None)

    def client(self, **options: Any) -> Elasticsearch:
        """A client of the node, as its superuser unless the options say otherwise; the caller closes it."""
        from elasticsearch import Elasticsearch

        if self.ca is not None:
            options.setdefault("ca_certs", str(self.ca))
        if self.admin is not None and not {"basic_auth", "api_key", "bearer_auth"} & options.keys():
            options["basic_auth"] = self.admin
        return Elasticsearch(self.url, **options)

    def clear(self, prefix: str) -> None:
        """Remove the indices, aliases and templates whose names begin with the prefix."""
        found = self.request("GET", f"/{prefix}*?expand_wildcards=all&features=aliases").json
        for name in found:
            self.request("DELETE", f"/{name}")
        for kind, listed in (("_index_template", "index_templates"), ("_component_template", "component_templates")):
            for template in self.request("GET", f"/{kind}").json[listed]:
                if template["name"].startswith(prefix):
                    self.request("DELETE", f"/{kind}/{template['name']}")


class Node(Running):
    """One node of Elasticsearch in a folder of its own: started, stopped, killed and started again over the same data.

    `home` is where it keeps data, logs and settings: a new temporary folder, removed by `close`, unless one is given.
    `quick` is for a short life: it starts with two thirds of the work, and never gets as fast as it could.
    """

    def __init__(
        self,
        *,
        secure: bool = False,
        version: str = VERSION,
        port: int = 0,
        home: Path | None = None,
        heap: str = "512m",
        quick: bool = False,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(url="")
        self.secure, self.version, self.port, self.heap, self.quick = secure, version, port, heap, quick
        self.settings = dict(settings or {})
        self.java = find_java()
        self.distribution = distribution(version, self.java)
        self._kept = home is not None
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self.home = home.absolute() if home else Path(tempfile.mkdtemp(prefix="sulh-node-"))
        self.home.mkdir(parents=True, exist_ok=True)
        self._configure()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's own process: kill it to see what a crash leaves behind."""
        return int(self._pid_file.read_text(encoding="ascii"))

    @property
    def _pid_file(self) -> Path:
        return self.home / "tmp" / "pid"

    @property
    def log(self) -> Path:
        return self.home / "logs" / "out.log"

    def start(self) -> Self:
        """Start the node and return once it answers that it is healthy."""
        if self.running:
            return self
        self._put_away()
        self._write_settings()
        ports = self.home / "logs" / "http.ports"
        ports.unlink(missing_ok=True)
        self._pid_file.unlink(missing_ok=True)
        environment = {
            name: value
            for name, value in os.environ.items()
            # What is meant for another Java or another node must not steer this one.
            if not name.startswith(("ES_", "JAVA_", "JDK_", "_JAVA", "CLI_JAVA"))
        }
        environment |= {
            "ES_JAVA_HOME": str(self.java),
            "ES_PATH_CONF": str(self.home / "config"),
            "ES_JAVA_OPTS": f"-Xms{self.heap} -Xmx{self.heap}{' -XX:TieredStopAtLevel=1' if self.quick else ''}",
            "ES_TMPDIR": str(self.home / "tmp"),
            "HOME": str(self.home),
        }
        user = _runs_as()
        identity: dict[str, Any] = (
            {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["bash", str(self.distribution / "bin" / "elasticsearch"), "-p", str(self._pid_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=environment,
                start_new_session=True,
                **identity,
            )
        # Whoever started the node may be killed outright: the node must not outlive them. The pipe closes with them.
        self._guard = subprocess.Popen(
            [
                "sh",
                "-c",
                GUARD,
                "sh",
                str(self._process.pid),
                "" if self._kept else str(self.home),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._await(ports)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Ask the node to end, and make it if it does not."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self._put_away()

    def kill(self) -> None:
        """End the node at once, as a power cut would."""
        self._put_away()

    def close(self) -> None:
        """Stop the node and remove its temporary folder."""
        self.stop()
        if not self._kept:
            shutil.rmtree(self.home, ignore_errors=True)

    def last_lines(self, count: int = 25) -> str:
        """What the node said last."""
        if not self.log.exists():
            return "(it said nothing)"
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def _put_away(self) -> None:
        # The guard first: what it watches over ends here, and the number may pass to another process.
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._process is None:
            return
        # The server before its launcher, which takes note of its end: once the launcher is gone too, so is the port.
        with suppress(FileNotFoundError, ValueError, ProcessLookupError, subprocess.TimeoutExpired):
            if os.getpgid(self.pid) == self._process.pid:
                os.kill(self.pid, signal.SIGKILL)
                self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # A server killed so early that it had not written its number yet may take the system a moment to clear away.
        cleared = time.monotonic() + 5
        with suppress(ProcessLookupError):
            while time.monotonic() < cleared:
                os.killpg(self._process.pid, 0)
                time.sleep(0.05)
        self._process = None

    def _configure(self) -> None:
        for name in ("data", "logs", "tmp", "snapshots"):
            (self.home / name).mkdir(exist_ok=True)
        config = self.home / "config"
        if not config.exists():
            shutil.copytree(self.distribution / "config", config)
        if self.secure:
            self.ca = self.home / "ca.crt"
            if not self.ca.exists():
                certify(authority=self.ca, certificate=config / "node.crt", key=config / "node.key")
            self.admin = ("admin", secrets.token_urlsafe(18))
            name, password = self.admin
            (config / "users").write_text(f"{name}:{_hashed(password)}\n", encoding="utf-8")
            (config / "users_roles").write_text(f"superuser:{name}\n", encoding="utf-8")
        user = _runs_as()
        if user is not None:
            closed = _closed(self.home.parent)
            if closed:
                raise Broken(
                    f"only root may enter {closed}, so the user {user.pw_name} can't run a node in {self.home}"
                )
            for folder, _, files in os.walk(self.home):
                for path in (Path(folder), *(Path(folder, name) for name in files)):
                    os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
            self.home.chmod(0o755)

    def _write_settings(self) -> None:
        text = SETTINGS.format(home=self.home, port=self.port, secure=str(self.secure).lower())
        if self.secure:
            text += SECURE_SETTINGS
        text += "".join(f"{name}: {json.dumps(value)}\n" for name, value in self.settings.items())
        (self.home / "config" / "elasticsearch.yml").write_text(text, encoding="utf-8")

    def _await(self, ports: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_SECONDS
        why = "it opened no port"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Broken(f"Elasticsearch ended with code {self._process.returncode}:\n{self.last_lines()}")
            if not self.port and ports.exists():
                # One address a line; the file is moved into place whole.
                self.port = int(ports.read_text(encoding="ascii").split()[0].rpartition(":")[2])
            if self.port:
                self.url = f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"
                try:
                    health = self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s", seconds=10)
                    if health.status == 200 and not health.json["timed_out"]:
                        return
                    why = f"it answered {health.status}"
                except ssl.SSLCertVerificationError:
                    raise
                except (OSError, http.client.HTTPException) as error:
                    why = f"{type(error).__name__}: {error}"
            time.sleep(0.1)
        raise Broken(f"Elasticsearch was not ready after {READY_SECONDS} s ({why}):\n{self.last_lines()}")


def java_folders() -> Iterator[Path]:
    """Where development kits stand: on the path, then in the folders that systems and installers use."""
    if found := shutil.which("javac"):
        yield Path(found).resolve().parent.parent
    for folder in (
        Path("/usr/lib/jvm"),
        Path("/usr/local/lib/jvm"),
        Path("/usr/java"),
        Path("/opt"),
        Path("/opt/java"),
        Path("/opt/homebrew/opt"),
        Path("/Library/Java/JavaVirtualMachines"),
        Path.home() / ".sdkman/candidates/java",
        Path.home() / ".jdks",
    ):
        with suppress(OSError):
            for kit in sorted(folder.iterdir()):
                yield from (kit, kit / "Contents/Home", kit / "libexec/openjdk.jdk/Contents/Home")


def find_java(environment: Mapping[str, str] = os.environ, folders: Iterable[Path] | None = None) -> Path:
    """The folder of a Java development kit that Elasticsearch runs on: the one asked for, else the newest."""
    for variable in ("ES_JAVA_HOME", "JAVA_HOME"):
        if environment.get(variable) and _java_version(home := Path(environment[variable])) >= JAVA:
            return home
    newest = max(java_folders() if folders is None else folders, key=_java_version, default=None)
    version = _java_version(newest) if newest else 0
    if newest is None or version < JAVA:
        seen = f"the newest found is {version}" if version else "none was found"
        raise Lacking(f"Elasticsearch needs a Java development kit of version {JAVA} or later; {seen} (set JAVA_HOME)")
    return newest


@functools.cache
def _java_version(home: Path) -> int:
    """The first number of a development kit's version; 0 where there is none that the node's user may run."""
    if not (home / "bin/javac").exists() or not (home / "bin/java").exists():
        return 0
    if os.geteuid() == 0 and _closed((home / "bin/java").resolve().parent):
        return 0
    said = subprocess.run(
        [home / "bin/javac", "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = re.search(r"javac (\d+)", said.stdout + said.stderr)
    return int(found[1]) if found and said.returncode == 0 else 0


def cache_folder() -> Path:
    """Where distributions are kept: `SULH_TEST_CACHE`, else a folder of the user's, or of the machine's for root."""
    if given := os.environ.get("SULH_TEST_CACHE"):
        return Path(given).absolute()
    # Root's home is closed to the user that the node runs as.
    return Path("/var/cache/sulh-tests") if os.geteuid() == 0 else Path.home() / ".cache/sulh-tests"


def distribution(version: str, java: Path) -> Path:
    """The folder of an unpacked distribution with our plugin in it, made once for each version and plugin source."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    source = b"".join(path.read_bytes() for path in _plugin_source())
    digest = hashlib.sha256(source + DESCRIPTOR.encode()).hexdigest()[:12]
    ready = cache / f"elasticsearch-{version}-{digest}"
    if os.geteuid() == 0 and (closed := _closed(cache)):
        raise Broken(f"only root may enter {closed}: set SULH_TEST_CACHE to a folder that every user may enter")
    with FileLock(cache / ".lock"):
        if not ready.exists():
            bare = cache / f"elasticsearch-{version}"
            if not bare.exists():
                _make(bare, lambda folder: _unpack(version, folder))
            _make(ready, lambda folder: _build(version, java, bare, folder))
    return ready


def _plugin_source() -> Iterator[Path]:
    found = sorted(PLUGIN.glob("*.java"))
    assert found, f"no source in {PLUGIN}"
    yield from found


def _make(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder and put it in place in one step: what stands there is whole."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as making:
        folder = Path(making) / target.name
        fill(folder)
        folder.rename(target)


def _unpack(version: str, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Lacking(
            f"Elasticsearch {version} is not in {folder.parent.parent} and Maven, which fetches it, is not here"
        )
    with tempfile.TemporaryDirectory(dir=folder.parent) as fetched:
        artifact = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
        # 118 MiB: a minute on a slow line, and more where Maven fetches its own plugins first.
        try:
            said = subprocess.run(
                [
                    maven,
                    "-q",
                    "-B",
                    "-Dstyle.color=never",
                    "dependency:copy",
                    f"-Dartifact={artifact}",
                    f"-DoutputDirectory={fetched}",
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=900,
                cwd=fetched,
            )
        except subprocess.TimeoutExpired:
            raise Lacking(f"Maven did not fetch {artifact} within 900 s") from None
        files = sorted(Path(fetched).glob("*.zip"))
        if said.returncode or len(files) != 1:
            error = next((line for line in (said.stdout + said.stderr).splitlines() if "ERROR" in line), "no file came")
            raise Lacking(f"Maven could not fetch {artifact}: {error[:300]}")
        try:
            with zipfile.ZipFile(files[0]) as archive:
                # Reading an entry to its end checks its CRC: a damaged file is found before anything is put in place.
                archive.extractall(fetched)
                for entry in archive.infolist():
                    if stat.S_IXUSR & entry.external_attr >> 16:
                        (Path(fetched) / entry.filename).chmod(0o755)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise Broken(
                f"what Maven keeps as {artifact} is damaged ({error}): remove it from ~/.m2/repository"
            ) from None
        (Path(fetched) / f"elasticsearch-{version}").rename(folder)


def _build(version: str, java: Path, bare: Path, folder: Path) -> None:
    # Links rather than copies: nothing is ever written to a distribution that is in place.
    shutil.copytree(bare, folder, copy_function=os.link)
    plugin = folder / "plugins" / "sulh-tests"
    plugin.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as classes:
        said = subprocess.run(
            [
                java / "bin/javac",
                "--release",
                str(JAVA),
                "-nowarn",
                "-proc:none",
                "-cp",
                f"{bare}/lib/*",
                "-d",
                classes,
                *_plugin_source(),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode:
            raise Broken(f"the plugin in {PLUGIN} does not compile:\n{said.stdout}{said.stderr}")
        with zipfile.ZipFile(plugin / "sulh-tests.jar", "w") as jar:
            for path in sorted(Path(classes).rglob("*.class")):
                jar.write(path, path.relative_to(classes))
    (plugin / "plugin-descriptor.properties").write_text(
        DESCRIPTOR.format(version=version, java=JAVA), encoding="utf-8"
    )


@functools.cache
def _runs_as() -> pwd.struct_passwd | None:
    """Whom the node runs as where that is not oneself: a system user in place of root, made when absent."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise Lacking(
            "Elasticsearch refuses to run as root and there is no useradd here: run the tests as another user"
        )
    subprocess.run(
        [
            useradd,
            "--system",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            SYSTEM_USER,
        ],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return pwd.getpwnam(SYSTEM_USER)


def _closed(folder: Path) -> Path | None:
    """The first folder on the way that others than its owner may not enter."""
    return next((step for step in (folder, *folder.parents) if not step.stat().st_mode & stat.S_IXOTH), None)


def _hashed(password: str) -> str:
    """A password as Elasticsearch's users file keeps it."""
    # A random password needs no slow hash; the cost is the lowest that Elasticsearch knows.
    salt = secrets.token_bytes(32)
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 1000, 32)
    return f"{{PBKDF2}}1000${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def main() -> None:
    """Run a node in the foreground until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.elastic.node", description="A real Elasticsearch node on loopback, for developers."
    )
    parser.add_argument("--secure", action="store_true", help="with TLS, users and API keys")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--home", type=Path, help="keep data, logs and settings in this folder (default: a temporary one)"
    )
    parser.add_argument("--version", default=VERSION, help="of Elasticsearch (default: %(default)s)")
    given = parser.parse_args()
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    try:
        node = Node(secure=given.secure, port=given.port, home=given.home, version=given.version)
        try:
            node.start()
            said = {"url": node.url, "pid": os.getpid()}
            if node.ca and node.admin:
                said |= {"ca": str(node.ca), "user": node.admin[0], "password": node.admin[1]}
            print(json.dumps(said), flush=True)
            while node.running and not told.wait(0.5):
                pass
            if not told.is_set():
                sys.exit(f"Elasticsearch ended by itself:\n{node.last_lines()}")
        finally:
            node.close()
    except (Lacking, Broken) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
