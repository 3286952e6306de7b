"""One workload of the table in PyTorch, made ready once and then measured as often as it is asked.

    python3 peer.py WORKLOAD [--device cuda|cpu] [--batch N] [--tiny]

Prints one line of JSON when it is ready, then one for each line {"seconds": S} on standard input, until that ends, so
that it can be measured in turn with Millrace without compiling anew. Between measurements it holds no more of the
GPU's memory than its weights. --tiny takes sizes that a processor can compute, to try the script without a GPU.
"""
import argparse
import json
import sys

import torch

import generation
import gpt
import images
import perceptron
from work import measure, seconds_since_start

WORKLOADS = {
    "gpt2_124m": gpt.training,
    "resnet50": images.resnet50,
    "resnet18_512": images.resnet18,
    "mlp_graph": perceptron.training,
    "gpt2_generate_1": lambda options: generation.decoding(options, 1),
    "gpt2_generate_32": lambda options: generation.decoding(options, 32),
}


def say(fields):
    print(json.dumps(fields), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--batch", type=int, default=0, help="rows of a batch (default: the workload's, or the best)")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")  # tf32, as ours
    torch.backends.cudnn.benchmark = True

    work = WORKLOADS[options.workload](options)
    say({"ready": True, "workload": options.workload, "side": "pytorch", "version": torch.__version__,
         "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
         "first_step_seconds": work.first_step_seconds,
         "prepared_seconds": seconds_since_start(), **work.facts})
    for line in sys.stdin:
        if options.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        median, steps = measure(work.step, options.device, json.loads(line)["seconds"])
        answer = {"step_seconds": median, "steps": steps, "rows_per_second": work.rows / median}
        if options.device == "cuda":
            answer["peak_bytes"] = torch.cuda.max_memory_allocated()
            torch.cuda.empty_cache()
        if not work.is_sound():
            answer["error"] = "the loss is not finite"
        say(answer)


if __name__ == "__main__":
    main()
