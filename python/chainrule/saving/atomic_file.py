"""Replacing a file as a whole: readers, and whoever comes after a kill, see the old or the new.

The bytes go to a temporary file beside the target, are synced, and take the target's name in
one step; then the directory is synced. A temporary file is locked while it is written: one
that is not locked was left behind by a process that died, and the next write removes it.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import IO

try:
    import fcntl
except ImportError:  # not POSIX: there an open file cannot be removed, which does the same
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".chainrule-tmp"


def replace_file(path: str, *parts: bytes | memoryview) -> None:
    """Make these bytes, one part behind the other, the whole content of `path`.

    Or leave what is there. A symbolic link is followed and an existing file's mode kept.

    Raises
    ------
    OSError
        What the operating system says: no such directory, no space, no permission, ...
    ValueError
        The target is no regular file: a device, a pipe.
    """
    target = os.path.realpath(path)
    mode = mode_of(target)
    directory, name = os.path.split(target)
    remove_leftovers(directory)
    temporary, file = create_temporary(directory, name)
    try:
        with file:
            for part in parts:
                file.write(part)
            file.flush()
            if mode is not None:
                os.chmod(temporary, mode)
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()
            os.replace(temporary, target)
    except BaseException:
        remove(temporary)
        raise
    sync_directory(directory)


def mode_of(target: str) -> int | None:
    """Return the permissions of the file that will be replaced; None where there is none."""
    try:
        found = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(21, "expected a file name, got a directory", target)
    if not stat.S_ISREG(found):
        raise ValueError(f"{target}: expected a regular file, got a device or a pipe")
    return stat.S_IMODE(found)


def create_temporary(directory: str, name: str) -> tuple[str, IO[bytes]]:
    """Create and lock ``.NAME.RANDOM.chainrule-tmp`` (NAME shortened to 40 characters)."""
    while True:
        temporary = os.path.join(directory, f".{name[:40]}.{secrets.token_hex(8)}{SUFFIX}")
        file = open(temporary, "xb")
        if lock(file) and os.path.exists(temporary):
            return temporary, file
        file.close()  # someone who cleans up came between creating and locking


def lock(file: IO[bytes]) -> bool:
    """Lock the file until it is closed; False where another process holds the lock."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: go on without
        return True
    return True


def remove_leftovers(directory: str) -> None:
    """Remove the temporary files of processes that died; what cannot be removed stays."""
    try:
        names = [name for name in os.listdir(directory) if name.endswith(SUFFIX)]
    except OSError:
        return
    for name in names:
        leftover = os.path.join(directory, name)
        try:
            if not stat.S_ISREG(os.lstat(leftover).st_mode):
                continue
            with open(leftover, "rb") as file:
                if fcntl is None:
                    file.close()
                else:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(leftover)
        except OSError:
            continue


def remove(path: str) -> None:
    """Remove the file if it is there and can be removed."""
    try:
        os.unlink(path)
    except OSError:
        pass


def sync_directory(directory: str) -> None:
    """Make the new name durable, where directories can be synced."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
