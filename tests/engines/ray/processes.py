"""Ports that are free, and the end of processes that a cluster has started.

processes.py ports N          N ports of loopback that are free now
processes.py end FOLDER PID   end the launcher, what descends from it, and what names
                              FOLDER in its command or environment; by pid, each with
                              its start time, so that no other process is hit
"""

import os
import signal
import socket
import sys
import time


def ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    print(*(one.getsockname()[1] for one in held))


def stat(pid):
    """Parent and start time; None when there is no such process, or it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])


def names(pid, folder):
    for what in ("cmdline", "environ"):
        try:
            with open(f"/proc/{pid}/{what}", "rb") as file:
                if folder.encode() in file.read():
                    return True
        except OSError:
            pass
    return False


def ours(folder, launcher):
    """{pid: start time} of everything that belongs to the cluster now."""
    all_of_them = {int(p): stat(p) for p in os.listdir("/proc") if p.isdigit()}
    alive = {pid: found for pid, found in all_of_them.items() if found}
    mine = {pid for pid in alive if pid == launcher or names(pid, folder)}
    while True:
        more = {pid for pid, (parent, _) in alive.items() if parent in mine} - mine
        if not more:
            break
        mine |= more
    return {pid: alive[pid][1] for pid in mine if pid not in (os.getpid(), os.getppid())}


def send(found, number):
    for pid, started in found.items():
        now = stat(pid)
        if now and now[1] == started:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def living(found):
    return {pid: started for pid, started in found.items() if (stat(pid) or (0, ""))[1] == started}


def until_gone(found, seconds):
    deadline = time.monotonic() + seconds
    while living(found) and time.monotonic() < deadline:
        time.sleep(0.05)
    return living(found)


def end(folder, launcher, grace):
    found = ours(folder, launcher)
    send(found, signal.SIGCONT)
    if grace:
        send({launcher: found[launcher]} if launcher in found else {}, signal.SIGTERM)
        until_gone(found, grace)
    found.update(ours(folder, launcher))
    send(living(found), signal.SIGKILL)
    left = until_gone(found, 10)
    if left:
        sys.exit(f"still there: {sorted(left)}")


if __name__ == "__main__":
    if sys.argv[1] == "ports":
        ports(int(sys.argv[2]))
    else:
        end(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else 5)
