#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: requests from the recorded transcripts, manifests and scenarios."""
import json
import pathlib

here = pathlib.Path(__file__).parent
root = here.parent


def put(target, name, data):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("seed-" + name.replace("/", "-"))).write_bytes(data)


def record(request):
    body = request.get("body")
    kind = request.get("type", "json") if body is not None else ""
    line = f"{request['method']} {request['path']} {kind}".rstrip()
    return (line + "\n" + (json.dumps(body, separators=(",", ":")) if body is not None else "")).encode()


for file in sorted((root / "tests/conformance").glob("*.jsonl")):
    for line in file.read_text().splitlines():
        case = json.loads(line)
        requests = [record(e["request"]) for e in case["exchanges"] if len(str(e["request"].get("body"))) < 6000]
        for at in range(1, len(requests), 6):
            put("request", f"{case['case']}-{at}", b"\0".join(requests[:1] + requests[at : at + 6]))

for file in [*root.glob("examples/scenarios/*.yaml"), *root.glob("tutorials/*.yaml")]:
    put("read", file.stem, b"s" + file.read_bytes())
for at, text in enumerate(json.loads((here / "seeds.json").read_text())):
    put("read", f"own-{at}", text.encode())
for at in range(64):
    put("apply", f"own-{at}", bytes((at * 37 + i * (7 + at)) % 256 for i in range(24 + at)))
