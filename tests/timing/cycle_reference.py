"""Cycle-level timing said plainly: queues and servers on a heap of events, one message at a time.

Slow, and without a line of the compiled kernels.  Where several messages want one place, the one
that has been at the head of its buffer longest goes first.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque


class Buffer:
    def __init__(self, kind, key, capacity):
        self.kind, self.key, self.capacity = kind, key, capacity
        self.messages = deque()
        self.idle = True
        self.head_since = None  # when the first message came to the head, in order of arrival
        self.pending = None  # of a sender: a message for which there is no room


class Reference:
    """links: {(x, y, dx, dy): ticks of a hop}; routers: (x, y) of every core, then the host.

    messages: of every sender, a list of (delay, destination core, service ticks); tails: ticks of
    the walk after the last message.
    """

    def __init__(self, links, routers, messages, tails, capacity):
        self.links, self.routers = links, routers
        self.tails = tails
        self.todo = [deque(part) for part in messages]
        self.buffers = {("link", key): Buffer("link", key, capacity) for key in links}
        for core in range(len(routers)):
            self.buffers["sender", core] = Buffer("sender", core, capacity)
            self.buffers["receiver", core] = Buffer("receiver", core, capacity)
        self.events, self.counter = [], itertools.count()
        self.end, self.stall_ticks, self.served = 0, 0, 0

    def run(self):
        for sender in range(len(self.routers)):
            self.walk(sender, 0)
        while self.events:
            now, _, buffer, message = heapq.heappop(self.events)
            if buffer.kind == "receiver":
                buffer.idle = True
                self.end = max(self.end, now)
                self.served += 1
            elif buffer.kind == "link":
                buffer.idle = True
                self.append(buffer, message)
            else:
                buffer.pending = (message, now)
            while self.do_something(now):
                pass
        return self.end

    def later(self, now, ticks, buffer, message):
        heapq.heappush(self.events, (now + ticks, next(self.counter), buffer, message))

    def walk(self, sender, now):
        buffer = self.buffers["sender", sender]
        if self.todo[sender]:
            delay, core, service = self.todo[sender].popleft()
            self.later(now, delay, buffer, (core, service))
        else:
            self.end = max(self.end, now + self.tails[sender])

    def append(self, buffer, message):
        buffer.messages.append(message)
        if len(buffer.messages) == 1:
            buffer.head_since = next(self.counter)

    def take(self, buffer):
        message = buffer.messages.popleft()
        buffer.head_since = next(self.counter) if buffer.messages else None
        return message

    def do_something(self, now):
        """One thing that can be done at this moment; False when there is none."""
        for buffer in self.buffers.values():
            room = len(buffer.messages) < buffer.capacity
            if buffer.pending and room:
                message, since = buffer.pending
                self.stall_ticks += (now - since) * (buffer.key != len(self.routers) - 1)
                buffer.pending = None
                self.append(buffer, message)
                self.walk(buffer.key, now)
                return True
            if buffer.kind == "receiver" and buffer.idle and buffer.messages:
                message = self.take(buffer)
                buffer.idle = False
                self.later(now, message[1], buffer, message)
                return True
        waiting = [b for b in self.buffers.values() if b.messages and b.kind != "receiver"]
        for buffer in sorted(waiting, key=lambda b: b.head_since):
            goal = self.goal(buffer)
            if len(goal.messages) == goal.capacity or (goal.kind == "link" and not goal.idle):
                continue
            message = self.take(buffer)
            if goal.kind == "link":
                goal.idle = False
                self.later(now, self.links[goal.key], goal, message)
            else:
                self.append(goal, message)
            return True
        return False

    def goal(self, buffer):
        core = buffer.messages[0][0]
        if buffer.kind == "link":
            x, y, dx, dy = buffer.key
            x, y = x + dx, y + dy
        else:
            x, y = self.routers[buffer.key]
        to_x, to_y = self.routers[core]
        if x != to_x:
            return self.buffers["link", (x, y, 1 if to_x > x else -1, 0)]
        if y != to_y:
            return self.buffers["link", (x, y, 0, 1 if to_y > y else -1)]
        return self.buffers["receiver", core]
