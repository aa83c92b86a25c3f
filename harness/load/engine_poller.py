"""
Which of very many sockets can be read or written, told to a callback on gevent's hub.

On Linux one epoll of our own holds all sockets, and gevent watches that one file: an idle connection costs the
kernel's entry and nothing of ours, and no poll costs a system call to be watched. Elsewhere each socket has a
watcher of gevent's. ``select()`` is used nowhere: it ends at file descriptor 1,024.
"""

import select
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent import monkey

READ = 1
WRITE = 2
"""Interests, and what a callback is told; a socket with an error counts as ready for what was asked."""

_MOST_AT_ONCE = 64
"""Sockets served before timers get their turn: so many take about 2 ms."""

_LOOP_READ, _LOOP_WRITE = 1, 2

OnReady = Callable[[int], None]


class Poller(Protocol):
    """Watches sockets, level-triggered."""

    def watch(self, handle: int, interest: int) -> None:
        """Begin to watch a socket for `READ`, `WRITE` or both; changes the interest of one already watched."""

    def forget(self, handle: int) -> None:
        """Stop watching a socket, before it is closed."""

    def close(self) -> None:
        """Stop watching at all."""


class EpollPoller:
    """
    The epoll of Linux, watched by gevent's hub.

    Args:
        on_ready: called with a socket's file descriptor, on the hub: it must not block.
    """

    def __init__(self, on_ready: OnReady) -> None:
        # gevent takes epoll out of the select module when it patches, because it blocks. This one never waits.
        self._epoll: Any = monkey.get_original("select", "epoll")()
        self._on_ready = on_ready
        self._watched: dict[int, int] = {}
        self._watcher = gevent.get_hub().loop.io(self._epoll.fileno(), _LOOP_READ)
        self._watcher.start(self._look)

    def watch(self, handle: int, interest: int) -> None:
        """See `Poller`."""
        before = self._watched.get(handle)
        if before == interest:
            return
        self._watched[handle] = interest
        events = (select.POLLIN if interest & READ else 0) | (select.POLLOUT if interest & WRITE else 0)
        if before is None:
            self._epoll.register(handle, events)
        else:
            self._epoll.modify(handle, events)

    def forget(self, handle: int) -> None:
        """See `Poller`."""
        if self._watched.pop(handle, None) is not None:
            self._epoll.unregister(handle)

    def close(self) -> None:
        """See `Poller`."""
        self._watcher.stop()
        self._watcher.close()
        self._watched.clear()
        self._epoll.close()

    def _look(self) -> None:
        on_ready, watched = self._on_ready, self._watched
        for handle, _ in self._epoll.poll(0, _MOST_AT_ONCE):
            # One that an earlier callback has closed is no longer asked for.
            if handle in watched:
                on_ready(handle)


class WatcherPoller:
    """
    A gevent watcher for each socket: for systems without epoll.

    Args:
        on_ready: see `EpollPoller`.
    """

    def __init__(self, on_ready: OnReady) -> None:
        self._on_ready = on_ready
        self._loop = gevent.get_hub().loop
        self._watchers: dict[int, tuple[int, Any]] = {}

    def watch(self, handle: int, interest: int) -> None:
        """See `Poller`."""
        before = self._watchers.get(handle)
        if before is not None:
            if before[0] == interest:
                return
            self.forget(handle)
        events = (_LOOP_READ if interest & READ else 0) | (_LOOP_WRITE if interest & WRITE else 0)
        watcher = self._loop.io(handle, events)
        watcher.start(self._on_ready, handle)
        self._watchers[handle] = (interest, watcher)

    def forget(self, handle: int) -> None:
        """See `Poller`."""
        before = self._watchers.pop(handle, None)
        if before is not None:
            before[1].stop()
            before[1].close()

    def close(self) -> None:
        """See `Poller`."""
        for handle in list(self._watchers):
            self.forget(handle)


def make_poller(on_ready: OnReady) -> Poller:
    """Return the best poller of this system; see `EpollPoller` for the argument."""
    return EpollPoller(on_ready) if _HAS_EPOLL else WatcherPoller(on_ready)


def _has_epoll() -> bool:
    try:
        monkey.get_original("select", "epoll")
    except AttributeError:
        return False
    return True


_HAS_EPOLL = _has_epoll()
