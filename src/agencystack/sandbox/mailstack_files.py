"""Configuration files of the sandbox's own Postfix and Dovecot."""

from __future__ import annotations

from collections.abc import Mapping

from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK
from agencystack.sandbox.tls import MAIL_HOST

MESSAGE_SIZE = 50_000_000  # facts/mailu.md: MESSAGE_SIZE_LIMIT, seen in EHLO

# Services of Debian's master.cf that a server without local users needs; none of them in a chroot.
_POSTFIX_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def postfix_main(folder: SandboxFolder, ports: Mapping[str, int]) -> str:
    """Return ``main.cf``: every decision is the stand-in's, all mail goes to it, nothing leaves this machine."""
    desk = f"socketmap:inet:{LOOPBACK}:{ports['mail-maps']}"
    everything = f"lmtp:inet:{LOOPBACK}:{ports['lmtp']}"
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": folder.mail_servers / "queue",
        "data_directory": folder.mail_servers / "queue" / "data",
        "maillog_file": folder.log / "postfix.log",
        "maillog_file_prefixes": folder.log,
        "inet_interfaces": LOOPBACK,
        "inet_protocols": "ipv4",
        "myhostname": MAIL_HOST,
        "mydomain": MAIL_HOST.partition(".")[2],
        "mydestination": "",
        "mynetworks": f"{LOOPBACK}/32",
        "alias_maps": "",
        "local_recipient_maps": "",
        "default_transport": everything,
        "relay_transport": everything,
        "local_transport": everything,
        # aiosmtpd answers once per mail, LMTP wants an answer per recipient.
        "lmtp_destination_recipient_limit": "1",
        "message_size_limit": MESSAGE_SIZE,
        "recipient_delimiter": "+",
        "smtpd_banner": "$myhostname ESMTP",
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"inet:{LOOPBACK}:{ports['sasl']}",
        "smtpd_sasl_security_options": "noanonymous",
        "smtpd_tls_auth_only": "yes",
        "smtpd_tls_cert_file": folder.tls / "server.pem",
        "smtpd_tls_key_file": folder.tls / "server.key",
        "smtpd_tls_loglevel": "1",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
        # Refusals come where and as Mailu's do: 530 at MAIL, 553 and 450 at RCPT (contract/mail_behaviour.json).
        "smtpd_delay_reject": "no",
        "smtpd_sender_restrictions": "permit_sasl_authenticated, check_sender_access static:{530 5.7.0 "
        "Authentication required}",
        "smtpd_sender_login_maps": f"{desk}:sender-logins",
        "smtpd_recipient_restrictions": f"reject_sender_login_mismatch, check_sasl_access {desk}:sender-rate",
        "smtpd_reject_unlisted_recipient": "no",
        "smtpd_reject_unlisted_sender": "no",
        "smtpd_timeout": "60s",
        "notify_classes": "",
        "append_dot_mydomain": "no",
        "biff": "no",
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def postfix_master(ports: Mapping[str, int]) -> str:
    """Return ``master.cf``: submission with implicit TLS and with STARTTLS, and what Postfix itself needs."""
    tls = f"{LOOPBACK}:{ports['smtps']} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"
    starttls = f"{LOOPBACK}:{ports['submission']} inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
    return tls + starttls + _POSTFIX_SERVICES


def dovecot_conf(folder: SandboxFolder, ports: Mapping[str, int], owner: tuple[int, int]) -> str:
    """Return ``dovecot.conf``: IMAP over TLS and the logins of Postfix, each login asked of the stand-in."""
    return f"""\
base_dir = {folder.mail_servers}/dovecot
log_path = {folder.log}/dovecot.log
protocols = imap
listen = {LOOPBACK}
mail_location = maildir:{folder.maildirs}/%Lu
mail_uid = {owner[0]}
first_valid_gid = 1
mail_gid = {owner[1]}
ssl = required
ssl_cert = <{folder.tls}/server.pem
ssl_key = <{folder.tls}/server.key
auth_mechanisms = plain login
auth_cache_size = 0
passdb {{
  driver = checkpassword
  args = {folder.mail_servers}/checkpassword
}}
userdb {{
  driver = static
  args = uid={owner[0]} gid={owner[1]} home={folder.maildirs}/%Lu allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {ports["imaps"]}
    ssl = yes
  }}
}}
service auth {{
  user = root
  inet_listener {{
    address = {LOOPBACK}
    port = {ports["sasl"]}
  }}
}}
# Mailu's front waits 2 s after a wrong password, and no longer after the next (facts/mailu.md).
auth_failure_delay = 2 secs
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""
