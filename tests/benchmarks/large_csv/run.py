"""Prepares and trains on a large CSV table through `millrace run`, and prints what it took.

    run.py BUILD_FOLDER [ROWS] [WORK_FOLDER]

BUILD_FOLDER holds the targets millrace, millrace-runner and large_csv_rows. The work folder needs 1.8 bytes for each
byte of the table. The peak is the runner's high-water mark (VmHWM), looked up until it ends, or what GNU time would say
of all processes, whichever is more.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time


def high_water_mib(home):
    """The largest VmHWM of the runners of that home, 0 where none lives."""
    peak = 0
    for pid_file in pathlib.Path(home).glob("runs/*/runner.pid"):
        try:
            status = pathlib.Path(f"/proc/{int(pid_file.read_text())}/status").read_text()
            peak = max(peak, int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024)
        except (OSError, ValueError, AttributeError):
            pass
    return peak


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    work = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="millrace-large-csv-"))
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "rows.csv", "wb") as table:
        subprocess.run([build / "benchmarks/large_csv_rows", str(rows)], stdout=table, check=True)
    shutil.copy(pathlib.Path(__file__).parent / "large.millrace", work)

    home, peak = work / "home", 0
    command = [build / "bin/millrace", "run", work / "large.millrace", "--json", "--no-cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "MILLRACE_HOME": str(home)}) as run:
        while run.poll() is None:
            peak = max(peak, high_water_mib(home))
            time.sleep(0.2)
        output = run.stdout.read()
    if run.returncode != 0:
        sys.exit(run.returncode)
    peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)

    result = json.loads(output)
    size = os.path.getsize(work / "rows.csv")
    print(f"{rows:,} rows, {size / 1e6:,.0f} MB of CSV: {result['seconds']:.1f} s, peak {peak:.0f} MiB resident")
    for stage in result["stages"]:
        if stage["seconds"] > 0.001:
            print(f"  {stage['id']:<8} {stage['seconds']:8.1f} s {rows / stage['seconds']:14,.0f} rows/s")
    for name, value in sorted(result["metrics"].items()):
        print(f"  {name:<20} {value:.4f}")
    print(json.dumps({"rows": rows, "csv_bytes": size, "seconds": result["seconds"], "peak_mib": round(peak, 1),
                      "stages": result["stages"], "metrics": result["metrics"]}))


main()
