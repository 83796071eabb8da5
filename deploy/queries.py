"""Prints what the dashboard asks of Prometheus as rules that record it, for `promtool check rules`: JSON is YAML, too.

Nobody else parses these queries before Grafana asks them."""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
dashboard = json.loads((HERE / "grafana/hookbox.json").read_text())

# What Grafana puts in by itself, and what each variable of the dashboard may be.
values = {"__rate_interval": "5m", "__interval": "1m", "__range": "6h"}
for variable in dashboard["templating"]["list"]:
    values[variable["name"]] = variable.get("allValue", "a")


def filled(query):
    def value(match):
        name = match[1] or match[2]
        if name not in values:
            sys.exit(f"{query}: the dashboard has no variable {name}")
        return values[name]

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, query)


def targets(panels):
    for panel in panels:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", []))
        yield from targets(panel.get("panels", []))


asked = [(title, filled(query)) for title, query in targets(dashboard["panels"])]
for variable in dashboard["templating"]["list"]:
    series = re.fullmatch(r"label_values\((.*),\s*\w+\)", variable["query"])
    if series:
        asked.append((f"variable {variable['name']}", filled(series[1])))
if not asked:
    sys.exit("the dashboard asks for nothing")

rules = []
for number, (title, query) in enumerate(asked):
    # What is drawn is a number for each moment, and no range of them: only those can be compared.
    for kind, expression in [("asked", query), ("compared", f"(\n{query}\n) >= 0")]:
        rules.append({"record": f"{kind}:{number}", "expr": expression, "labels": {"panel": title}})
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}, indent=1))
