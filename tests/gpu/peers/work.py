"""What is measured of a workload in PyTorch, and how its time is taken."""
import dataclasses
import os
import statistics
import time
import typing

import torch


@dataclasses.dataclass
class Work:
    """A step that computes so many rows (tokens of a language model), ready to be measured."""
    step: typing.Callable
    rows: int
    facts: dict
    first_step_seconds: float  # from the start of the process to the end of its first step
    is_sound: typing.Callable = lambda: True


def seconds_since_start():
    """Since this process was started, its imports included."""
    with open("/proc/self/stat", encoding="ascii") as file:
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    with open("/proc/uptime", encoding="ascii") as file:
        uptime = float(file.read().split()[0])
    return uptime - ticks / os.sysconf("SC_CLK_TCK")


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def first_step(step, device):
    step()
    synchronize(device)
    return seconds_since_start()


def measure(step, device, seconds):
    """The median time of a step, and how many there were: taken in groups of at least 20 ms, so that waiting for the
    GPU costs nothing."""
    def group_of(size):
        synchronize(device)
        begin = time.perf_counter()
        for _ in range(size):
            step()
        synchronize(device)
        return (time.perf_counter() - begin) / size

    size = max(1, round(0.02 / group_of(3)))
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        times.append(group_of(size))
    return statistics.median(times), size * len(times)


class Rows:
    """Batches that lie in the host's memory, as they would behind a loader: pinned, and each brought to the GPU by a
    stream of its own while the step before computes."""

    def __init__(self, device, batches):
        self.device, self.step = device, 0
        self.batches = [[part.pin_memory() for part in batch] for batch in batches] if device == "cuda" else batches
        if device == "cuda":
            self.stream = torch.cuda.Stream()
            self.fetch()

    def fetch(self):
        with torch.cuda.stream(self.stream):
            self.coming = [part.to("cuda", non_blocking=True) for part in self.batches[self.step % len(self.batches)]]

    def next(self):
        if self.device != "cuda":
            self.step += 1
            return self.batches[self.step % len(self.batches)]
        torch.cuda.current_stream().wait_stream(self.stream)
        batch = self.coming
        for part in batch:
            part.record_stream(torch.cuda.current_stream())
        self.step += 1
        self.fetch()
        return batch
