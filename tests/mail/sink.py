"""sink.py MODE CERT KEY: takes mails over TLS, from the start (MODE smtps) or once asked to (MODE starttls).

Prints the port first, and then a line of JSON for each mail, or for a conversation that broke off. There is no mailbox
of the name gone, and that of the name later takes nothing at the first time.
"""

import base64
import json
import socket
import ssl
import sys

MODE, CERT, KEY = sys.argv[1:]
CONTEXT = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
CONTEXT.load_cert_chain(CERT, KEY)
PUT_OFF = []


def secured(line):
    return CONTEXT.wrap_socket(line, server_side=True)


def converse(line):
    """RFC 5321, as little of it as a mail needs; nothing but EHLO and STARTTLS before there is TLS."""
    is_secure = MODE == "smtps"
    line = secured(line) if is_secure else line
    reader, login, to = line.makefile("rb"), None, []
    line.sendall(b"220 sink\r\n")
    while said := reader.readline():
        word, _, rest = said.decode().strip().partition(" ")
        word = word.upper()
        if word == "EHLO":
            offered = b"250 AUTH PLAIN\r\n" if is_secure else b"250 STARTTLS\r\n"
            line.sendall(b"250-sink\r\n" + offered)
        elif word == "STARTTLS" and not is_secure:
            line.sendall(b"220 go on\r\n")
            line, is_secure = secured(line), True
            reader = line.makefile("rb")
        elif not is_secure:
            line.sendall(b"530 first STARTTLS\r\n")
        elif word == "AUTH":
            login = base64.b64decode(rest.split()[-1]).decode().split("\0")[1:]
            line.sendall(b"235 welcome\r\n")
        elif word == "RCPT" and rest.upper().startswith("TO:<GONE@"):
            line.sendall(b"550 no such mailbox\r\n")
        elif word == "RCPT" and rest.upper().startswith("TO:<LATER@") and rest not in PUT_OFF:
            PUT_OFF.append(rest)
            line.sendall(b"450 come again\r\n")
        elif word == "RCPT":
            to.append(rest.partition("<")[2].partition(">")[0])
            line.sendall(b"250 sink\r\n")
        elif word == "DATA":
            line.sendall(b"354 go on\r\n")
            mail = b""
            while not mail.endswith(b"\r\n.\r\n"):
                part = reader.readline()
                if not part:
                    return
                mail += part
            print(json.dumps({"login": login, "to": to, "mail": mail.decode()}), flush=True)
            line.sendall(b"250 kept\r\n")
        elif word == "QUIT":
            line.sendall(b"221 bye\r\n")
            return
        else:
            line.sendall(b"250 sink\r\n")


listener = socket.create_server(("0.0.0.0", 0))
print(listener.getsockname()[1], flush=True)
while True:
    accepted, _ = listener.accept()
    try:
        with accepted:
            accepted.settimeout(30)
            converse(accepted)
    except OSError as error:
        print(json.dumps({"broken": str(error)}), flush=True)
