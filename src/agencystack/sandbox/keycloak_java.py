"""How Java is called to run Keycloak: as Keycloak's own start script does it, without that script.

The script stays as a parent in version 26, which can die alone and leave Keycloak behind; called directly, the process
we know is Keycloak itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# What bin/kc.sh gives Java, and the first.
JAVA_OPTIONS = (
    # Starts in two thirds of the time; a sandbox does not live long enough for the slower, better compiler.
    "-XX:TieredStopAtLevel=1",
    "-Xms64m",
    "-Xmx512m",
    "-XX:MaxMetaspaceSize=256m",
    "-Dfile.encoding=UTF-8",
    "-Duser.language=en",
    "-Duser.country=US",
    "-Djava.security.egd=file:/dev/urandom",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dquarkus-log-max-startup-records=10000",
    "-Dpicocli.disable.closures=true",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)


def keycloak_command(
    program: Path, java: Path, words: Sequence[str], *, home: Path, options: Sequence[str] = ()
) -> list[str]:
    """Return the command that runs Keycloak.

    Args:
        program: folder of the distribution.
        java: home of a Java.
        words: what the start script would be called with.
        home: folder with ``conf``, ``data`` and the links to the distribution.
        options: more options for Java.
    """
    return [
        str(java / "bin" / "java"),
        *JAVA_OPTIONS,
        *options,
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-cp",
        str(program / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        *words,
    ]
