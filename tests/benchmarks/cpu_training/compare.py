"""Trains five workloads in Millrace and in PyTorch, in turn, and prints speed and peak memory side by side.

    python3 compare.py MILLRACE [--workloads mlp,gpt] [--rounds 5] [--seconds 5] [--threads N] [--json FILE]

MILLRACE is the command (build/release/bin/millrace). PyTorch is taken from the Python that runs this script. Each
round runs Millrace, PyTorch eager and PyTorch compiled once, one after the other; a side's speed is the median of its
rounds, and PyTorch's is the better of its two. Peak memory is that of the whole process.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

GOALS = {"digits_mlp": 10, "mlp": 2, "lenet": 2, "resnet18": 1.3, "gpt": 1.3}
HERE = os.path.dirname(os.path.abspath(__file__))


def last_json(command):
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(text[text.index("{"):] if text.lstrip().startswith("{\n") else text.strip().splitlines()[-1])


def millrace(arguments, workload):
    answer = last_json([arguments.millrace, "bench", workload, "--seconds", str(arguments.seconds),
                        "--threads", str(arguments.threads), "--json"])
    return {**answer["workloads"][0], "machine": answer["machine"]}


def peer(arguments, workload, mode):
    return last_json([sys.executable, os.path.join(HERE, "peer.py"), workload, "--mode", mode,
                      "--seconds", str(arguments.seconds), "--threads", str(arguments.threads)])


def measure(arguments, workload):
    runs = {"millrace": [], "eager": [], "compile": []}
    for number in range(arguments.rounds):
        print(f"{workload}: round {number + 1} of {arguments.rounds}", file=sys.stderr)
        runs["millrace"].append(millrace(arguments, workload))
        for mode in ("eager", "compile"):
            runs[mode].append(peer(arguments, workload, mode))
    step = {side: statistics.median(run["step_seconds"] for run in side_runs) for side, side_runs in runs.items()}
    memory = {side: statistics.median(run["peak_bytes"] for run in side_runs) for side, side_runs in runs.items()}
    better = min(("eager", "compile"), key=step.get)
    ours = runs["millrace"][0]
    return {"workload": workload, "title": ours["title"], "goal": GOALS[workload],
            "ratio": step[better] / step["millrace"], "better_peer": better,
            "step_seconds": step, "peak_bytes": memory, "memory_ratio": memory["millrace"] / memory[better],
            "flops": ours["flops"], "gflops": ours["flops"] / step["millrace"] / 1e9, "machine": ours["machine"],
            "pytorch": runs["eager"][0]["version"],
            "rounds": {side: [run["step_seconds"] for run in side_runs] for side, side_runs in runs.items()}}


def processor():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def table(rows):
    lines = ["| workload | ours, ms a step | PyTorch eager | PyTorch compiled | ratio | goal | our peak memory | PyTorch's "
             "| GFLOP/s, of peak |", "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        step, memory = row["step_seconds"], row["peak_bytes"]
        lines.append(f"| {row['title']} | {1e3 * step['millrace']:.3g} | {1e3 * step['eager']:.3g} "
                     f"| {1e3 * step['compile']:.3g} | **{row['ratio']:.2f}×** | ≥ {row['goal']}× "
                     f"| {memory['millrace'] / 1e6:.0f} MB | {memory[row['better_peer']] / 1e6:.0f} MB "
                     f"| {row['gflops']:.0f}, {100 * row['gflops'] / row['machine']['gflops']:.0f} % |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millrace")
    parser.add_argument("--workloads", default=",".join(GOALS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", help="also write everything measured to this file")
    arguments = parser.parse_args()
    rows = [measure(arguments, workload) for workload in arguments.workloads.split(",")]
    machine = rows[0]["machine"]
    print(f"{processor()}, {arguments.threads} threads: {machine['gflops']:.0f} GFLOP/s f32, "
          f"{machine['gigabytes_per_second']:.0f} GB/s; PyTorch {rows[0]['pytorch']}; {time.strftime('%Y-%m-%d')}; "
          f"medians of {arguments.rounds}\n")
    print(table(rows))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
