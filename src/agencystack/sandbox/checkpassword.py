"""Dovecot's question whether a password opens a mailbox, passed on to the Mailu stand-in (checkpassword interface).

Run alone, once per login, with nothing but the standard library: it must start fast.
"""

import os
import socket
import sys

CREDENTIALS_FD = 3
WRONG, TEMPORARY = 1, 111
TIMEOUT = 10.0


def main(argv: list[str]) -> None:
    """Ask, and on a yes run the rest of ``argv`` as the interface wants.

    Args:
        argv: port of the stand-in's login service, then the program to run.
    """
    user, password = _credentials()
    question = b"\0".join([user, password, os.environ.get("TCPREMOTEIP", "").encode(), _protocol()])
    try:
        with socket.create_connection(("127.0.0.1", int(argv[0])), TIMEOUT) as connection:
            connection.sendall(question)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(16)
    except OSError:
        sys.exit(TEMPORARY)
    if answer != b"yes":
        sys.exit(WRONG if answer == b"no" else TEMPORARY)
    os.environ["USER"] = user.decode()
    os.execvp(argv[1], argv[1:])  # noqa: S606 - the interface: the program after us reports the success


def _credentials() -> tuple[bytes, bytes]:
    with os.fdopen(CREDENTIALS_FD, "rb") as given:
        parts = given.read().split(b"\0")
    return parts[0], parts[1]


def _protocol() -> bytes:
    return b"imap" if os.environ.get("PROTO", "").lower() in {"imap", "service=imap"} else b"smtp"


if __name__ == "__main__":
    main(sys.argv[1:])
