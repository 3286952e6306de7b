#!/bin/sh
# Prepares and trains on a large CSV table and prints what it took.
#   run.sh BUILD_FOLDER [ROWS] [WORK_FOLDER]
# Needs GNU time (/usr/bin/time), 2.2 bytes of disk for each byte of the table, and BUILD_FOLDER built with the
# targets millrace, millrace-runner and large_csv_rows.
set -eu
build=$(cd "$1" && pwd)
rows=${2:-10000000}
work=${3:-$(mktemp -d)}
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$work"
"$build/benchmarks/large_csv_rows" "$rows" > "$work/rows.csv"
cp "$here/large.millrace" "$work/"
export MILLRACE_HOME="$work/home"

/usr/bin/time -v "$build/bin/millrace" run "$work/large.millrace" --json > "$work/result.json" 2> "$work/time.txt" ||
    { cat "$work/time.txt" >&2; exit 1; }
python3 - "$work" "$rows" <<'END'
import json, os, re, sys
work, rows = sys.argv[1], int(sys.argv[2])
result = json.load(open(os.path.join(work, "result.json")))
text = open(os.path.join(work, "time.txt")).read()
peak = int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", text).group(1)) / 1024
table = os.path.getsize(os.path.join(work, "rows.csv"))
stages = {stage["id"]: stage["seconds"] for stage in result["stages"]}
print(f"{rows:,} rows, {table / 1e6:,.0f} MB of CSV, {result['seconds']:.1f} s in all, peak {peak:.0f} MiB resident")
for stage, seconds in stages.items():
    print(f"  {stage:<12} {seconds:8.1f} s {rows / max(seconds, 1e-9):14,.0f} rows/s")
for name, value in sorted(result["metrics"].items()):
    print(f"  {name:<24} {value:.4f}")
print(json.dumps({"rows": rows, "csv_bytes": table, "seconds": result["seconds"], "peak_mib": round(peak, 1),
                  "stages": stages, "metrics": result["metrics"]}))
END
