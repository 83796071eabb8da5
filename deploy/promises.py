"""What hookbox promises of its image and its compose.yaml, which no linter knows. Reads the files as they stand."""

import re
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

HERE = Path(__file__).parent
# How long a host drains, as it says itself.
DRAIN = int(re.search(r"const DRAIN: Millis = Millis\((\d+)_000\)", (HERE / "../host/cli/src/host.rs").read_text())[1])

faults = []


def must(holds, what):
    if not holds:
        faults.append(what)


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


# The image.
lines = [line for line in (HERE / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
final = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM")) :]
must(re.match(r"FROM (scratch|gcr\.io/distroless/static)", final[0]), "the final image has more than a binary in it")
user = [line for line in final if line.startswith("USER")]
must(user and re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", user[-1]), "the final image runs as root, or as a name")
must(any(re.match(r'HEALTHCHECK .*CMD \["hookbox", "health"\]', line) for line in final), "no health check by the binary")
must(not any(line.startswith("RUN") for line in final), "something is run in the final image")
must(not any(re.search(r"(SECRET|TOKEN|PASSWORD)\s*=", line) for line in lines), "a secret is in the image")
# The build takes the whole folder, and its layers stay.
kept_out = (HERE / "../.dockerignore").read_text().splitlines()
for place in ["**/.env", "data", "deploy/config", "deploy/certificates", "deploy/plugins"]:
    must(place in kept_out, f"{place} goes into a layer of the image's build")

# The unit.
unit = (HERE / "hookbox.service").read_text()
must(seconds(re.search(r"^TimeoutStopSec=(.*)$", unit, re.M)[1]) > DRAIN, "systemd cuts off the drain")
must("ExecReload=/bin/kill -HUP $MAINPID" in unit, "a reload is no SIGHUP")
must("\nMemoryDenyWriteExecute=yes" not in unit, "plugins cannot be compiled")
# systemd changes nothing of a configuration folder that is there, and the user of the unit is in no group of root.
steps = [line.removeprefix("#").strip() for line in unit.split("[Unit]")[0].splitlines()]
working = re.search(r"^WorkingDirectory=(.*)$", unit, re.M)[1]
must(any(f"install -d -m 755 {working} " in step for step in steps), "the unit's user cannot go to where it starts")
must(any(step.startswith(f"install -m 600 /dev/null {working}/environment") for step in steps), "others read the environment")
written = [f"/var/lib/{name}" for name in re.search(r"^StateDirectory=(.*)$", unit, re.M)[1].split()]
plugins = re.search(r" --plugins (\S+)", unit)[1]
must(plugins in written, "the unit's user cannot write where plugins are pushed to")
must(any(step.startswith(f"install -m 644 *.wasm {plugins}/") for step in steps), "plugins are put where nobody reads them")
secrets = [re.search(r" (/\S+/)$", step)[1].rstrip("/") for step in steps if step.startswith("install -m 600 shop.key")]
must(secrets and set(secrets) <= set(written), "secrets are put where the unit's user cannot read them, or others can")
must("EnvironmentFile" not in unit or "systemctl restart hookbox" in unit, "nobody is told that a reload reads no environment")

# compose.yaml. It is read by a parser where there is one: check-jsonschema brings it.
sys.path[:0] = [str(path) for path in (HERE / "venv/lib").glob("python3*/site-packages")]
from ruamel.yaml import YAML  # noqa: E402

compose = YAML(typ="safe").load((HERE / "compose.yaml").read_text())
services, networks = compose["services"], compose["networks"]
for name, service in services.items():
    must(service.get("restart") == "unless-stopped", f"{name} is not restarted")
    must(service.get("read_only") is True, f"{name} may write to its root")
    must(service.get("cap_drop") == ["ALL"], f"{name} has capabilities")
    must("no-new-privileges:true" in service.get("security_opt", []), f"{name} may get privileges")
    must("healthcheck" in service, f"{name} has no health check")
    must(not service.get("privileged"), f"{name} is privileged")
    must(seconds(service["stop_grace_period"]) > DRAIN, f"{name} is cut off before hookbox has drained")
    must(not any("docker.sock" in str(volume) for volume in service["volumes"]), f"{name} has the docker socket")
hookbox = services["hookbox"]
must(hookbox["user"] == "65532:65532", "hookbox is root, or somebody else than in the image")
must("./config:/etc/hookbox:ro" in hookbox["volumes"], "hookbox may write its configuration")
must("env_file" not in hookbox, "a reload does not read the secrets: docker gives a container its environment once")
must(all(port.startswith("127.0.0.1:") for port in hookbox["ports"]), "the operator's listener is open to all")
must(hookbox["healthcheck"]["test"] == ["CMD", "hookbox", "health"], "the health check is another than the image's")

# Neither container has the capability to go past owners and modes, and the README says how to begin, too.
owner = hookbox["user"]
steps = re.findall(r"^#   (.*)$", (HERE / "compose.yaml").read_text(), re.M)
must("\n".join(steps) in (HERE / "../README.md").read_text(), "the README begins in another way than compose.yaml")
must(any(f"sudo chown {owner} config/.env plugins" == step for step in steps), "hookbox cannot read secrets or take plugins")
must(any("(umask 077; printf" in step for step in steps), "the token is open to others until its owner is changed")
must(any("sudo install -m 600 YOUR.key certificates/" in step for step in steps), "nginx cannot read its key, or others can")

# Docker leads a name to the first network that both are on, and to an internal one last.
must(set(hookbox["networks"]) & set(services["proxy"]["networks"]) == {"inside"}, "the proxy may come by another network")
inside = ip_network(networks["inside"]["ipam"]["config"][0]["subnet"])
for file in ["compose.yaml", "nginx.conf"]:
    told = re.findall(r"trusted_proxies: \[ (\S+) \]", (HERE / file).read_text())
    must(told and {ip_network(network) for network in told} == {inside}, f"{file} trusts another network than the proxy's")
must(networks["inside"]["internal"] is True, "the network of the proxy leads elsewhere")
must(ip_address(hookbox["networks"]["inside"]["ipv4_address"]) in inside, "nginx keeps an address that hookbox may lose")

for fault in faults:
    print(fault)
sys.exit(bool(faults))
