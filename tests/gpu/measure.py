"""Runs the GPU tests, the benchmarks beside PyTorch and compute-sanitizer, within a given time, and prints one table.

Started by tests/gpu/run, which finds the programs. Each part has a limit of its own, so that one that hangs does not
take the time of the others, and everything is written as soon as it is known.
"""
import argparse
import dataclasses
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))



@dataclasses.dataclass
class Workload:
    title: str
    ours: list  # arguments of `millrace bench`
    goal: float  # how many times as fast as PyTorch
    unit: str
    limit: float  # seconds for all of it
    batches: tuple = ()  # of ours to choose from; none: the workload's own


# by the names in peers/peer.py
WORKLOADS = {
    "gpt2_124m": Workload("GPT-2 124M training, T = 1024, bf16", ["gpt2_124m"], 1.15, "tokens/s", 150, (32, 64, 16)),
    "resnet50": Workload("ResNet-50 training, 224×224, bf16", ["resnet50"], 1.25, "images/s", 90),
    "mlp_graph": Workload("MLP 784-512-256-10, batch 128", ["mlp", "--precision", "tf32"], 3, "rows/s", 50),
    "resnet18_512": Workload("ResNet-18 on 32×32, batch 512, bf16", ["resnet18", "--batch", "512"], 1.5, "images/s", 70),
    "gpt2_generate_1": Workload("GPT-2 124M generation, batch 1, 256 tokens", ["gpt2_generate"], 1.5, "tokens/s", 60),
    "gpt2_generate_32": Workload("GPT-2 124M generation, batch 32, 256 tokens", ["gpt2_generate", "--batch", "32"], 1.5,
                                 "tokens/s", 60),
}
ROUNDS, ROUND_SECONDS = 3, 3
H100_DENSE_BF16 = 989e12  # operations a second, from NVIDIA's data sheet of the H100 SXM


class Report:
    """What was found out so far; written anew with everything that is added."""

    def __init__(self, folder):
        self.folder = folder
        self.data = {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "device": device(), "tests": [],
                     "benchmarks": [], "sanitizer": []}
        os.makedirs(folder, exist_ok=True)

    def add(self, part, entry):
        self.data[part].append(entry)
        self.write()

    def write(self):
        with open(os.path.join(self.folder, "results.json"), "w", encoding="utf-8") as file:
            json.dump(self.data, file, indent=1)
        with open(os.path.join(self.folder, "table.md"), "w", encoding="utf-8") as file:
            file.write(self.table())

    def table(self):
        data = self.data
        lines = [f"{data['device']}; {data['date']}; medians of {ROUNDS} rounds in turn", ""]
        lines += benchmark_table(data["benchmarks"]) + roofline_table(data["benchmarks"])
        for part, title in (("tests", "GPU tests"), ("sanitizer", "compute-sanitizer")):
            if data[part]:
                passed = sum(entry["state"] == "passed" for entry in data[part])
                lines += ["", f"{title}: {passed} of {len(data[part])} passed"]
                lines += [f"- {entry['name']}: {entry['state']} after {entry['seconds']:.0f} s"
                          for entry in data[part] if entry["state"] != "passed"]
        return "\n".join(lines) + "\n"


def device():
    return subprocess.run(["nvidia-smi", "--query-gpu=name,memory.total,driver_version,clocks.max.sm",
                           "--format=csv,noheader"], capture_output=True, text=True).stdout.strip().replace("\n", "; ")


def gigabytes(count):
    return "–" if count is None else f"{count / 2**30:.2f}"


def benchmark_table(entries):
    if not entries:
        return []
    lines = ["| workload | ours | PyTorch | ratio | goal | MFU | first step, ours | PyTorch's | memory, ours | predicted "
             "| PyTorch's, GiB |", "| --- " * 11 + "|"]
    for entry in entries:
        workload = WORKLOADS[entry["workload"]]
        ours, peer = entry.get("ours"), entry.get("peer")
        if not ours or not peer:
            lines.append(f"| {workload.title} | {entry.get('error', 'not measured')} |" + " |" * 9)
            continue
        mfu = f"{100 * entry['mfu']:.1f} %" if "mfu" in entry else ""
        lines.append(
            f"| {workload.title}; ours at batch {ours['batch']}, PyTorch at {peer['batch']} | {ours['rows_per_second']:,.0f} "
            f"{workload.unit} | {peer['rows_per_second']:,.0f} | **{entry['ratio']:.2f}×** | ≥ {workload.goal}× | {mfu} "
            f"| {ours['first_step_seconds']:.1f} s | {peer['first_step_seconds']:.1f} s "
            f"| {gigabytes(ours.get('device_bytes'))} | {gigabytes(ours.get('memory_bytes'))} "
            f"| {gigabytes(peer.get('peak_bytes'))} |")
    return lines


def roofline_table(entries):
    """Of each kind of operation: how much of what the GPU can do at most, in arithmetic or in memory traffic."""
    lines = []
    for entry in entries:
        machine = entry.get("machine") or {}
        for operation in (entry.get("ours") or {}).get("operations", [])[:8]:
            arithmetic = operation["gflops"] / machine["gflops_bf16"]
            memory = operation["gigabytes_per_second"] / machine["gigabytes_per_second"]
            lines.append(f"| {entry['workload']} | {operation['kind']} | {1e3 * operation['seconds']:.3g} "
                         f"| {operation['gflops'] / 1e3:.3g} | {operation['gigabytes_per_second']:.0f} "
                         f"| {100 * max(arithmetic, memory):.0f} % of "
                         f"{'arithmetic' if arithmetic > memory else 'bandwidth'} |")
    return ["", "| workload | kind of operation | ms a step | TFLOP/s | GB/s | of the roofline |",
            "| --- " * 6 + "|"] + lines if lines else []


class Programs:
    """The build's programs, started with the libraries that were found for them."""

    def __init__(self, build):
        self.build = build
        self.environment = {**os.environ, "LD_LIBRARY_PATH": os.environ.get("MILLRACE_LIBRARIES", ""),
                            "MILLRACE_HOME": os.path.join(build, "gpu-home"),
                            "MILLRACE_RESOURCES": os.path.join(build, "share", "millrace")}

    def tests(self):
        bundled = os.path.join(self.build, "tests.json")
        if os.path.exists(bundled):
            with open(bundled, encoding="utf-8") as file:
                return json.loads(file.read().replace("@BUILD@", self.build).replace("@ROOT@", ROOT))
        shown = subprocess.run(["ctest", "--test-dir", self.build, "-L", "^gpu$", "--show-only=json-v1"],
                               capture_output=True, text=True, check=True).stdout
        tests = []
        for test in json.loads(shown)["tests"]:
            properties = {p["name"]: p["value"] for p in test.get("properties", [])}
            tests.append({"name": test["name"], "command": test.get("command", []),
                          "timeout": properties.get("TIMEOUT", 120), "environment": properties.get("ENVIRONMENT", [])})
        return tests

    def start(self, command, environment=(), **more):
        more_environment = dict(pair.split("=", 1) for pair in environment if "=" in pair)
        return subprocess.run(command, cwd=self.build, env={**self.environment, **more_environment},
                              text=True, **more)

    def bench(self, workload, limit, *arguments):
        """One measurement by `millrace bench`: (the workload's document, the machine's)."""
        command = [os.path.join(self.build, "bin", "millrace"), "bench", *WORKLOADS[workload].ours, "--device", "cuda",
                   "--json", *map(str, arguments)]
        done = self.start(command, capture_output=True, timeout=max(limit, 1))
        try:
            answer = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise RuntimeError(f"millrace bench ended with status {done.returncode}: {done.stderr[-400:]}") from None
        if "error" in answer:
            raise RuntimeError(answer["error"].get("message", str(answer["error"])))
        return answer["workloads"][0], answer["machine"]


class Peer:
    """A workload in PyTorch, in a process that is measured when it is asked."""

    def __init__(self, workload, log, arguments=()):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "peers", "peer.py"), workload, *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def answer(self, limit):
        while True:
            try:
                line = self.lines.get(timeout=max(limit, 0.1))
            except queue.Empty:
                raise RuntimeError("PyTorch took too long") from None
            if not line:
                raise RuntimeError("PyTorch ended without an answer; see peers.log")
            if line.startswith("{"):
                return json.loads(line)

    def measure(self, seconds, limit):
        self.process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
        self.process.stdin.flush()
        answer = self.answer(limit)
        if "error" in answer:
            raise RuntimeError("PyTorch: " + answer["error"])
        return answer

    def end(self):
        self.process.kill()
        self.process.wait()


def best_batch(programs, workload, batches, left):
    """The batch of ours that computes most rows a second; None for the workload's own."""
    speeds = {}
    for batch in batches:
        try:
            speeds[batch] = programs.bench(workload, left(), "--batch", batch, "--seconds", 1, "--no-peak")[0]["rows_per_second"]
        except RuntimeError as failure:  # it does not fit
            print(f"{workload}: batch {batch}: {failure}", file=sys.stderr)
    if batches and not speeds:
        raise RuntimeError("ours trains at none of these batches")
    return max(speeds, key=speeds.get) if speeds else None


def benchmark(programs, workload, log, left, peer_arguments=()):
    """Both sides in turn."""
    batch = best_batch(programs, workload, WORKLOADS[workload].batches, left)
    ours_arguments = ["--seconds", ROUND_SECONDS] + (["--batch", batch] if batch else [])
    peer = Peer(workload, log, peer_arguments)
    try:
        facts = peer.answer(left())
        ours, theirs = [], []
        for number in range(ROUNDS):
            more = ["--operations"] if number == ROUNDS - 1 else ["--no-peak"]
            document, machine = programs.bench(workload, left(), *ours_arguments, *more)
            ours.append(document)
            theirs.append(peer.measure(ROUND_SECONDS, left()))
            print(f"{workload}: {ours[-1]['rows_per_second']:,.0f} to {theirs[-1]['rows_per_second']:,.0f}",
                  file=sys.stderr)
    finally:
        peer.end()
    speed = [statistics.median(run["rows_per_second"] for run in side) for side in (ours, theirs)]
    entry = {"workload": workload, "machine": machine, "ratio": speed[0] / speed[1],
             "ours": {**ours[-1], "rows_per_second": speed[0],
                      "first_step_seconds": statistics.median(run["first_step_seconds"] for run in ours)},
             "peer": {**facts, **theirs[-1], "rows_per_second": speed[1]},
             "rounds": {"ours": [run["rows_per_second"] for run in ours],
                        "peer": [run["rows_per_second"] for run in theirs]}}
    if workload == "gpt2_124m":
        add_mfu(entry)
    return entry


def add_mfu(entry):
    """Share of 989 TFLOP/s (bf16, dense). A token of training costs 6 N + 6 L C T operations: N parameters with the
    embedding that the answer shares, and attention, of which a causal one computes half. PaLM counts 12 L C T."""
    layers, width, context = 12, 768, 1024
    parameters = entry["peer"]["parameters"]
    tokens = entry["ours"]["rows_per_second"]
    entry["mfu"] = tokens * (6 * parameters + 6 * layers * width * context) / H100_DENSE_BF16
    entry["mfu_palm"] = tokens * (6 * parameters + 12 * layers * width * context) / H100_DENSE_BF16


def run_tests(programs, report, left):
    for test in programs.tests():
        run_test(programs, report, "tests", test["name"], test["command"], test["environment"],
                 min(left(), float(test["timeout"])))


def run_test(programs, report, part, name, command, environment, limit):
    begin = time.time()
    state, output = "not run: no time left", ""
    if not command:
        state = "not built"
    elif limit > 5:
        try:
            done = programs.start(command, environment, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            state, output = "passed" if done.returncode == 0 else f"failed ({done.returncode})", done.stdout
            if done.returncode == 77:
                state = "skipped"
            skipped = [line for line in output.splitlines() if line.startswith("SKIP")]
            if state == "passed" and skipped:  # Qt Test ends with status 0 even where all was skipped
                state = f"{len(skipped)} skipped: {skipped[0][:200]}"
        except subprocess.TimeoutExpired as late:
            state = f"stopped after its {limit:.0f} s"
            output = (late.stdout or b"").decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        except OSError as failure:
            state = str(failure)
    if state != "passed":
        with open(os.path.join(report.folder, f"{part}.log"), "a", encoding="utf-8") as file:
            file.write(f"==== {name}: {state}\n{output[-20000:]}\n")
    print(f"{name}: {state}", file=sys.stderr)
    report.add(part, {"name": name, "state": state, "seconds": time.time() - begin})


def sanitize(programs, report, left):
    """The kernels' tests under memcheck (out of bounds, misaligned) and racecheck (shared memory without a barrier)."""
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not os.path.exists(tool):
        report.add("sanitizer", {"name": "compute-sanitizer", "state": "not installed here", "seconds": 0})
        return
    kernels = [test for test in programs.tests() if test["command"] and "kernel_device_driver" in test["command"][0]]
    checks = [(test, check) for test in kernels for check in ("memcheck", "racecheck")]
    for number, (test, check) in enumerate(checks):
        driver, *cases = test["command"]  # cases of so many operations at most: the tools make them many times slower
        run_test(programs, report, "sanitizer", f"{check} of {test['name']}",
                 [tool, "--tool", check, "--error-exitcode", "1", driver, "--most", "1e6", *cases],
                 [*test["environment"], "MILLRACE_SANITIZED=1"], left() / (len(checks) - number))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "gpu-results"))
    parser.add_argument("--seconds", type=float, default=570)
    parser.add_argument("--only", default="tests,benchmarks,sanitizer")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--rehearse", action="store_true", help="PyTorch on the processor, in small sizes: no figures")
    options = parser.parse_args()
    programs, report = Programs(os.path.abspath(options.build)), Report(options.out)
    end = time.time() + options.seconds
    parts = options.only.split(",")

    kept = min(70, options.seconds / 4) if "sanitizer" in parts else 0  # for what comes last

    def until(seconds, keep=0):
        """What is left of so many seconds from now, and of the whole but for what is kept."""
        limit = min(time.time() + seconds, end - keep)
        return lambda: limit - time.time()

    if "tests" in parts:
        run_tests(programs, report, until(100))
    if "benchmarks" in parts:
        with open(os.path.join(options.out, "peers.log"), "w", encoding="utf-8") as log:
            for workload in options.workloads.split(","):
                try:
                    limit = until(WORKLOADS[workload].limit * (4 if options.rehearse else 1), kept)
                    entry = benchmark(programs, workload, log, limit,
                                      ["--device", "cpu", "--tiny"] if options.rehearse else [])
                except (RuntimeError, subprocess.TimeoutExpired, OSError, KeyError) as failure:
                    entry = {"workload": workload, "error": str(failure)[:300]}
                    print(f"{workload}: {failure}", file=sys.stderr)
                report.add("benchmarks", entry)
    if "sanitizer" in parts:
        sanitize(programs, report, until(options.seconds))
    report.write()
    print(report.table())
    failed = any(entry["state"] != "passed" for part in ("tests", "sanitizer") for entry in report.data[part])
    sys.exit(1 if failed or any("error" in entry for entry in report.data["benchmarks"]) else 0)


if __name__ == "__main__":
    main()
