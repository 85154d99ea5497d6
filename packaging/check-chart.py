"""Checks the Helm chart: `python check-chart.py CHART [NDAUTHD]`.

It lints the chart, renders it with the values of `GOOD`, and validates each document strictly against Kubernetes' own
schemas. It checks what those cannot know: that no secret is in a variable, that the time to stop suffices, that the
admin port is closed. It also shows that the chart refuses the values of `BAD`, each with its message. With the path of
an ndauthd it also lets ndauthd read the rendered settings.

Needs the packages helm-python-sdk, kubernetes-validate and PyYAML. Prints one line for each fault and exits with 1, or
says how much was checked.
"""

import copy
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import yaml

KUBERNETES = "1.37"
# Kinds of custom resources, which Kubernetes' schemas do not have. `check_monitors` checks them.
CUSTOM = {"ServiceMonitor"}
# Values whose keys are the user's own.
FREE = {
    "global",
    "settings",
    "service.annotations",
    "serviceMonitor.labels",
    "resources.requests",
    "resources.limits",
    "podAnnotations",
    "podLabels",
    "nodeSelector",
    "affinity",
}
# The defaults of values.yaml, and the margin that the chart adds, in seconds.
DRAIN, PAUSE, MARGIN = 10, 5, 5

IMAGE = {"image": {"repository": "images.example.org/ndauth"}, "publicUrl": "https://auth.example.org"}
URL = "postgres://ndauth@db.example.org/ndauth?sslmode=verify-full"
PLAIN = {"plaintextBeyondLoopback": True}
TLS = {"tls": {"existingSecret": "server-certificate"}}
SCRAPER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}


def merged(*layers):
    """Returns the values of all layers; later ones take precedence."""
    result = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


SQLITE = merged(IMAGE, TLS, {"database": {"kind": "sqlite"}})
POSTGRES = merged(IMAGE, PLAIN, {"database": {"kind": "postgres", "url": URL, "existingSecret": "database"}})
THREE = merged(POSTGRES, {"replicaCount": 3})

# Values that are accepted, and the kinds that they render to.
ALWAYS = ["ConfigMap", "Deployment", "Service"]
GOOD = {
    "sqlite": (SQLITE, ["NetworkPolicy", "PersistentVolumeClaim"]),
    "sqlite in plain text": (
        merged(IMAGE, PLAIN, {"database": {"kind": "sqlite"}}),
        ["NetworkPolicy", "PersistentVolumeClaim"],
    ),
    "sqlite on a claim that exists": (merged(SQLITE, {"persistence": {"existingClaim": "disk"}}), ["NetworkPolicy"]),
    "sqlite on a class of storage": (
        merged(
            SQLITE, {"persistence": {"storageClassName": "fast", "accessModes": ["ReadWriteOncePod"], "size": "20Gi"}}
        ),
        ["NetworkPolicy", "PersistentVolumeClaim"],
    ),
    "postgres": (POSTGRES, ["NetworkPolicy"]),
    "postgres, three instances": (THREE, ["NetworkPolicy", "PodDisruptionBudget"]),
    "postgres, no instance": (merged(POSTGRES, {"replicaCount": 0}), ["NetworkPolicy"]),
    "postgres by its own authority": (
        merged(
            THREE,
            {
                "database": {
                    "url": URL + "&sslrootcert=/etc/ndauth/database-ca/root.pem",
                    "caSecret": "authority",
                    "caKey": "root.pem",
                    "passwordKey": "pass",
                }
            },
        ),
        ["NetworkPolicy", "PodDisruptionBudget"],
    ),
    "postgres with a shared claim": (
        merged(THREE, {"persistence": {"enabled": True, "accessModes": ["ReadWriteMany"]}}),
        ["NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget"],
    ),
    "postgres with a claim that exists": (
        merged(
            THREE,
            {
                "persistence": {"enabled": True, "existingClaim": "shared"},
                "database": {"url": "postgres://ndauth@[fd00::1]:5432/ndauth?sslmode=verify-full"},
            },
        ),
        ["NetworkPolicy", "PodDisruptionBudget"],
    ),
    "postgres over TLS": (
        merged(
            THREE,
            {"plaintextBeyondLoopback": False},
            TLS,
            {"service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}}},
        ),
        ["NetworkPolicy", "PodDisruptionBudget"],
    ),
    "a monitor": (
        merged(
            THREE,
            {
                "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
                "networkPolicy": {"scrapers": [SCRAPER]},
            },
        ),
        ["NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceMonitor"],
    ),
    "a monitor without a network policy": (
        merged(THREE, {"serviceMonitor": {"enabled": True}, "networkPolicy": {"enabled": False}}),
        ["PodDisruptionBudget", "Service", "ServiceMonitor"],
    ),
    "named clients": (
        merged(
            THREE,
            {
                "networkPolicy": {
                    "clients": [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]
                }
            },
        ),
        ["NetworkPolicy", "PodDisruptionBudget"],
    ),
    "no budget": (merged(THREE, {"podDisruptionBudget": {"enabled": False}}), ["NetworkPolicy"]),
    "everything else": (
        merged(
            THREE,
            {
                "image": {
                    "tag": "9.9.9",
                    "digest": "sha256:" + "ab" * 32,
                    "pullPolicy": "Always",
                    "pullSecrets": ["pull"],
                },
                "settings": {
                    "freshness-bound": "1s",
                    "trusted-proxies": "10.0.0.0/8,192.0.2.7",
                    "max-connections": 12345678,
                    "no-device-login": True,
                    "log": "ndauth=debug,info",
                },
                "drainSeconds": 45,
                "stopDelaySeconds": 0,
                "resources": {"requests": {"cpu": 2, "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
                "serviceAccountName": "ndauth",
                "podAnnotations": {"note": "true"},
                "podLabels": {"team": "platform"},
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
                "affinity": {"nodeAffinity": {}},
                "priorityClassName": "high",
                "nameOverride": "authority",
                "global": {"any": {"thing": 1}},
            },
        ),
        ["NetworkPolicy", "PodDisruptionBudget"],
    ),
    "a text that needs quotes": (merged(POSTGRES, {"settings": {"log": 'a="b"<&\\\t#'}}), ["NetworkPolicy"]),
    "an unknown setting": (merged(POSTGRES, {"settings": {"freshnes-bound": "2s"}}), ["NetworkPolicy"]),
    "a full name": (merged(POSTGRES, {"fullnameOverride": "tokens"}), ["NetworkPolicy"]),
}

# Values that ndauthd refuses, and the chart does not.
JUDGED_BY_NDAUTHD = {"a text that needs quotes": "a=", "an unknown setting": "did you mean `freshness-bound`?"}

# Values that are refused, and a part of the message.
BAD = {
    "nothing": ({}, "set `image.repository`"),
    "no image": (merged(POSTGRES, {"image": {"repository": ""}}), "set `image.repository`"),
    "no URL": (merged(POSTGRES, {"publicUrl": ""}), "set `publicUrl`"),
    "a URL with a path": (merged(POSTGRES, {"publicUrl": "https://example.org/auth"}), "at '/publicUrl'"),
    "no kind of database": (merged(POSTGRES, {"database": {"kind": ""}}), "set `database.kind`"),
    "another kind of database": (merged(POSTGRES, {"database": {"kind": "mysql"}}), "at '/database/kind'"),
    "no URL of the database": (merged(POSTGRES, {"database": {"url": ""}}), "set `database.url`"),
    "another database's URL": (merged(POSTGRES, {"database": {"url": "mysql://db/ndauth"}}), "at '/database/url'"),
    "no secret of the database": (
        merged(POSTGRES, {"database": {"existingSecret": ""}}),
        "set `database.existingSecret`",
    ),
    "a password in the URL": (
        merged(POSTGRES, {"database": {"url": "postgres://ndauth:hunter2@db/ndauth"}}),
        "holds a password",
    ),
    "an empty user with a password": (
        merged(POSTGRES, {"database": {"url": "postgresql://:hunter2@db/ndauth"}}),
        "holds a password",
    ),
    "a password with an @": (
        merged(POSTGRES, {"database": {"url": "postgres://ndauth:hun@ter2@db/ndauth"}}),
        "holds a password",
    ),
    "a password as a parameter": (
        merged(POSTGRES, {"database": {"url": URL + "&password=hunter2"}}),
        "holds a password",
    ),
    "an authority that nothing names": (
        merged(POSTGRES, {"database": {"caSecret": "authority"}}),
        "add `sslmode=verify-full&sslrootcert=",
    ),
    "a named authority that is missing": (
        merged(POSTGRES, {"database": {"url": URL + "&sslrootcert=/etc/ndauth/database-ca/ca.crt"}}),
        "which is not set",
    ),
    "neither TLS nor plain text": (merged(POSTGRES, {"plaintextBeyondLoopback": False}), "set `tls.existingSecret`"),
    "both TLS and plain text": (merged(POSTGRES, TLS), "leave one out"),
    "several instances on SQLite": (merged(SQLITE, {"replicaCount": 2}), "a SQLite file is for one instance"),
    "a URL beside SQLite": (merged(SQLITE, {"database": {"url": URL}}), "`database.url` is for PostgreSQL"),
    "a password beside SQLite": (
        merged(SQLITE, {"database": {"existingSecret": "x"}}),
        "`database.existingSecret` is for PostgreSQL",
    ),
    "one disk for several instances": (
        merged(THREE, {"persistence": {"enabled": True}}),
        "all instances share the claim",
    ),
    "a monitor that is shut out": (merged(THREE, {"serviceMonitor": {"enabled": True}}), "admits no scraper"),
    "an empty list of clients": (merged(THREE, {"networkPolicy": {"clients": []}}), "at '/networkPolicy/clients'"),
    "an empty client": (merged(THREE, {"networkPolicy": {"clients": [{}]}}), "at '/networkPolicy/clients'"),
    "an empty scraper": (merged(THREE, {"networkPolicy": {"scrapers": [{}]}}), "at '/networkPolicy/scrapers/0'"),
    "a list as a setting": (merged(THREE, {"settings": {"log": ["info"]}}), "at '/settings/log'"),
    "a fraction as a setting": (
        merged(THREE, {"settings": {"max-connections": 1.5}}),
        "at '/settings/max-connections'",
    ),
    "a key that is no key": (merged(THREE, {"settings": {'log = "x"\nlisten': "y"}}), "invalid propertyName"),
    "a number as a text": (merged(THREE, {"replicaCount": "3"}), "at '/replicaCount'"),
    "a drain of nothing": (merged(THREE, {"drainSeconds": 0}), "at '/drainSeconds'"),
    "a digest that is none": (merged(THREE, {"image": {"digest": "latest"}}), "at '/image/digest'"),
    "a port that is none": (merged(THREE, {"service": {"port": 65536}}), "at '/service/port'"),
    **{
        f"the chart's own setting `{key}`": (merged(values, {"settings": {key: "x"}}), f"the chart sets `{key}` itself")
        for values in (POSTGRES, SQLITE)
        for key in (
            "listen",
            "admin-listen",
            "public-url",
            "data-folder",
            "database",
            "database-password-file",
            "tls-certificate",
            "tls-key",
            "plaintext-beyond-loopback",
            "drain-seconds",
        )
    },
}


class Faults:
    """The faults that were found, and the number of checks."""

    def __init__(self):
        self.lines, self.checked = [], 0

    def expect(self, holds, where, what):
        self.checked += 1
        if not holds:
            self.lines.append(f"{where}: {what}")


def documents(manifests):
    """Returns the documents of a rendered chart, without the notes."""
    return [
        document
        for name, text in manifests.items()
        if not name.endswith(".txt")
        for document in yaml.safe_load_all(text)
        if document
    ]


def one(rendered, kind):
    return next(document for document in rendered if document["kind"] == kind)


def check_schema(chart, faults):
    """The schema knows the keys of values.yaml and no others, at every level."""

    def walk(path, schema, values):
        if path in FREE:
            return
        where = f"values.schema.json, `{path}`"
        faults.expect(schema.get("additionalProperties") is False, where, "admits unknown keys")
        known = set(schema.get("properties", {}))
        faults.expect(
            known - {"global"} == set(values),
            where,
            f"differs from values.yaml: {sorted((known - {'global'}) ^ set(values))}",
        )
        for key, value in values.items():
            below = f"{path}.{key}".lstrip(".")
            if isinstance(value, dict) and below not in FREE:
                walk(below, schema["properties"].get(key, {}), value)
                values_with = merged(THREE, nested(below, {"unknown": 1}))
                refused(chart, values_with, "additional properties 'unknown' not allowed", where, faults)

    walk("", chart.schema, chart.values)
    refused(
        chart,
        merged(THREE, {"replicas": 3}),
        "additional properties 'replicas' not allowed",
        "values.schema.json",
        faults,
    )


def nested(path, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def refused(chart, values, message, where, faults):
    try:
        chart.render(values, name="demo", namespace="prod")
        faults.expect(False, where, f"is accepted; expected: {message}")
    except helm.HelmError as error:
        faults.expect(message in str(error), where, f"expected `{message}`, and not: {error}")


def check_documents(name, values, rendered, kinds, faults):
    found = sorted(document["kind"] for document in rendered)
    faults.expect(found == sorted(ALWAYS + kinds), name, f"renders {found}")
    for document in rendered:
        where = f"{name}, {document['kind']}"
        faults.expect(document["metadata"]["namespace"] == "prod", where, "is in another namespace")
        if document["kind"] in CUSTOM:
            continue
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
            faults.expect(True, where, "")
        except kubernetes_validate.ValidationError as error:
            at = ".".join(map(str, error.path))
            faults.expect(False, where, f"is not valid at `{at}`: {error.message}")


class Pod:
    """The parts of a rendered chart that describe its pods."""

    def __init__(self, rendered):
        self.deployment = one(rendered, "Deployment")["spec"]
        self.spec = self.deployment["template"]["spec"]
        [self.container] = self.spec["containers"]
        self.volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        self.mounts = {mount["name"]: mount for mount in self.container["volumeMounts"]}
        self.settings = tomllib.loads(one(rendered, "ConfigMap")["data"]["ndauthd.toml"])

    def has(self, path):
        """Returns true if a secret is mounted as this file."""
        folder, file = path.rsplit("/", 1)
        volume = next((mount["name"] for mount in self.mounts.values() if mount["mountPath"] == folder), None)
        return bool(volume) and file in [item["path"] for item in self.volumes[volume]["secret"]["items"]]


def check_security(name, pod, faults):
    def expect(holds, what):
        faults.expect(holds, name, what)

    security = pod.spec["securityContext"]
    users = [security.get(key) for key in ("runAsUser", "runAsGroup", "fsGroup")]
    expect(users == [65532] * 3 and security["runAsNonRoot"] is True, "the pod runs as another user than 65532")
    expect(security["seccompProfile"] == {"type": "RuntimeDefault"}, "the pod has no seccomp profile")
    least = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    expect(pod.container["securityContext"] == least, "the container may do more than it needs")
    expect(pod.spec["automountServiceAccountToken"] is False, "the service account's token is mounted")
    expect(pod.spec["enableServiceLinks"] is False, "other services become variables")
    # Secrets come as files that only the pod's group can read, and never as variables.
    variables = [{"name": "NDAUTHD_CONFIG", "value": "/etc/ndauth/config/ndauthd.toml"}]
    expect(pod.container["env"] == variables and "envFrom" not in pod.container, "there are other variables")
    expect(set(pod.volumes) == set(pod.mounts), "volumes and mounts differ")
    for volume in (volume for volume in pod.volumes.values() if "secret" in volume):
        expect(volume["secret"]["defaultMode"] == 0o440, f"`{volume['name']}` has another mode than 0440")
        expect(pod.mounts[volume["name"]].get("readOnly") is True, f"`{volume['name']}` can be written")


def check_settings(name, values, pod, faults):
    def expect(holds, what):
        faults.expect(holds, name, what)

    settings = pod.settings
    named = [settings.get(key) for key in ("database-password-file", "tls-certificate", "tls-key")]
    named += re.findall(r"sslrootcert=([^&]+)", settings["database"])
    for path in filter(None, named):
        expect(pod.has(path), f"`{path}` is not mounted")
    listens = (settings["listen"], settings["admin-listen"])
    expect(listens == ("0.0.0.0:7711", "0.0.0.0:7712"), "the pod cannot be reached")
    expect(settings["public-url"] == values["publicUrl"], "the public URL is another")
    expect(settings["drain-seconds"] == values.get("drainSeconds", DRAIN), "the drain is another")
    plain = values.get("plaintextBeyondLoopback", False)
    expect(settings.get("plaintext-beyond-loopback", False) is plain, "plain text was not asked for")
    expect(("tls-certificate" in settings) is not plain, "neither TLS nor plain text was chosen")
    expect(settings["data-folder"] == pod.mounts["data"]["mountPath"], "the data folder is not mounted")
    for key, value in values.get("settings", {}).items():
        # 1e+07 would be equal, and no whole number.
        expect(repr(settings.get(key)) == repr(value), f"the setting `{key}` is {settings.get(key)!r}")


def check_lifetime(name, values, pod, faults):
    """Starting, stopping and replacing."""

    def expect(holds, what):
        faults.expect(holds, name, what)

    container, deployment = pod.container, pod.deployment
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    expect(pause == values.get("stopDelaySeconds", PAUSE), "the pause before the signal to stop is another")
    needed = pause + values.get("drainSeconds", DRAIN) + MARGIN
    expect(pod.spec["terminationGracePeriodSeconds"] == needed, f"the pod has other than {needed} s to stop")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    expect(ports == {"server": 7711, "admin": 7712}, "the ports are others")
    live = {"path": "/livez", "port": "admin"}
    probes = [container[probe].get("httpGet") for probe in ("startupProbe", "livenessProbe")]
    expect(probes == [live, live], "the probes of life ask for more than life")
    ready = container["readinessProbe"]
    if values.get("plaintextBeyondLoopback", False):
        expect(ready.get("grpc") == {"port": 7711}, "readiness is not asked by gRPC")
    else:
        expect(ready.get("httpGet") == {"path": "/readyz", "port": "admin"}, "a kubelet cannot ask by gRPC over TLS")
    sqlite = values["database"]["kind"] == "sqlite"
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    strategy = {"type": "Recreate"} if sqlite else rolling
    expect(deployment["strategy"] == strategy, "instances are replaced in another way")
    replicas = values.get("replicaCount", 1)
    expect(deployment["replicas"] == replicas, "the number of instances is another")
    spread = [constraint["topologyKey"] for constraint in pod.spec.get("topologySpreadConstraints", [])]
    hosts_and_zones = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    expect(spread == (hosts_and_zones if replicas > 1 else []), "the instances are not spread")
    claim = sqlite or values.get("persistence", {}).get("enabled", False)
    expect(("persistentVolumeClaim" in pod.volumes["data"]) == claim, "the data folder is kept in another way")
    limits = container["resources"]["limits"]
    expect("memory" in limits and "cpu" not in limits, "the CPU is limited, or the memory is not")


def check_names(chart, faults):
    """The names of a release whose name is as long as Helm admits are short enough for labels."""
    for name, values in {"r" * 53: GOOD["a monitor"][0], "ndauth": POSTGRES}.items():
        for document in documents(chart.render(values, name=name, namespace="prod")):
            called = document["metadata"]["name"]
            faults.expect(len(called) <= 63 and called.startswith(name), name, f"{document['kind']} is called {called}")
            faults.expect(name != "ndauth" or called == name, name, f"{document['kind']} is called {called}")


def check_selectors(name, rendered, faults):
    """Each selector of pods matches those of the deployment, by two labels."""
    deployment = one(rendered, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [deployment["selector"]["matchLabels"]]
    ports = {port["name"] for port in deployment["template"]["spec"]["containers"][0]["ports"]}
    for document in rendered:
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            selectors.append(spec["selector"])
            faults.expect({port["targetPort"] for port in spec["ports"]} <= ports, name, "a Service leads to no port")
            is_admin = document["metadata"]["name"].endswith("-admin")
            leads = [port["targetPort"] for port in spec["ports"]]
            faults.expect(leads == (["admin"] if is_admin else ["server"]), name, f"a Service leads to {leads}")
        elif document["kind"] == "PodDisruptionBudget":
            selectors.append(spec["selector"]["matchLabels"])
        elif document["kind"] == "NetworkPolicy":
            selectors.append(spec["podSelector"]["matchLabels"])
    for selector in selectors:
        faults.expect(len(selector) == 2 and selector.items() <= labels.items(), name, f"{selector} selects other pods")


def check_network(name, values, rendered, faults):
    policies = [document["spec"] for document in rendered if document["kind"] == "NetworkPolicy"]
    wanted = values.get("networkPolicy", {})
    for policy in policies:
        by_port = {rule["ports"][0]["port"]: rule for rule in policy["ingress"]}
        faults.expect(policy["policyTypes"] == ["Ingress"], name, "the policy is for something else")
        faults.expect(all(len(rule["ports"]) == 1 for rule in policy["ingress"]), name, "a rule is for several ports")
        scrapers = wanted.get("scrapers", [])
        faults.expect(("admin" in by_port) == bool(scrapers), name, "the admin port is open to all, or to none")
        faults.expect(by_port.get("admin", {}).get("from", []) == scrapers, name, "the admin port is open to others")
        clients = wanted.get("clients", "all")
        faults.expect(by_port["server"].get("from", "all") == clients, name, "the server is open to others")


def check_monitors(name, values, rendered, faults):
    for monitor in (document for document in rendered if document["kind"] == "ServiceMonitor"):
        faults.expect(monitor["apiVersion"] == "monitoring.coreos.com/v1", name, "the monitor is of another version")
        faults.expect(set(monitor) == {"apiVersion", "kind", "metadata", "spec"}, name, "the monitor has other keys")
        faults.expect(set(monitor["spec"]) == {"selector", "endpoints"}, name, "the monitor's spec has other keys")
        [endpoint] = monitor["spec"]["endpoints"]
        interval = values["serviceMonitor"].get("interval", "15s")
        faults.expect(
            endpoint == {"port": "admin", "path": "/metrics", "interval": interval},
            name,
            "the monitor reads something else",
        )
        selector = monitor["spec"]["selector"]["matchLabels"]
        chosen = [
            service
            for service in rendered
            if service["kind"] == "Service" and selector.items() <= service["metadata"]["labels"].items()
        ]
        faults.expect(
            [service["spec"]["ports"][0]["name"] for service in chosen] == ["admin"],
            name,
            "the monitor selects no Service, or another one",
        )
        labels = values["serviceMonitor"].get("labels", {})
        faults.expect(labels.items() <= monitor["metadata"]["labels"].items(), name, "the monitor lacks its labels")


def check_notes(name, values, notes, faults):
    for part in (
        values["publicUrl"],
        "-- ndauthd admin account invite ada",
        "-- ndauthd admin org create ops --admin ada",
    ):
        faults.expect(part in notes, name, f"the notes lack `{part}`")


def check_ndauthd(name, rendered, ndauthd, faults):
    """ndauthd reads the rendered settings, with stand-ins for the mounted files."""
    with tempfile.TemporaryDirectory() as folder:
        text = one(rendered, "ConfigMap")["data"]["ndauthd.toml"]
        text = text.replace("/var/lib/ndauth", f"{folder}/data").replace("/etc/ndauth/", f"{folder}/")
        settings = tomllib.loads(text)
        if password := settings.get("database-password-file"):
            Path(password).parent.mkdir()
            Path(password).write_text("hunter2\n")
        config = Path(folder, "ndauthd.toml")
        config.write_text(text)
        shown = subprocess.run(
            [ndauthd, "config", "show", "--config", config, "--format", "json"],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin"},
            check=False,
        )
        if message := JUDGED_BY_NDAUTHD.get(name):
            faults.expect(message in shown.stderr, name, f"ndauthd says: {shown.stderr}")
            return
        faults.expect(shown.returncode == 0, name, f"ndauthd refuses the settings: {shown.stderr}")
        if shown.returncode == 0:
            read = {row["key"]: row for row in json.loads(shown.stdout)["settings"]}
            for key in settings:
                faults.expect(str(config) in read[key]["from"], name, f"ndauthd takes `{key}` from {read[key]['from']}")
        faults.expect("hunter2" not in shown.stdout + shown.stderr, name, "ndauthd shows the password")


def main(folder, ndauthd=None):
    faults = Faults()
    for name, values in {"the defaults": {}, **{name: values for name, (values, _) in GOOD.items()}}.items():
        report = helm.lint(folder, values, strict=True)
        found = [message for message in report["messages"] if message["severity"] > 1]
        faults.expect(not found and not report["errors"], name, f"helm lint: {found} {report['errors']}")
    with helm.Chart.load(folder) as chart:
        metadata = chart.metadata
        faults.expect(metadata["version"] == metadata["appVersion"], "Chart.yaml", "the two versions differ")
        check_schema(chart, faults)
        for name, (values, kinds) in GOOD.items():
            try:
                manifests = chart.render(values, name="demo", namespace="prod")
            except helm.HelmError as error:
                faults.expect(False, name, f"is refused: {error}")
                continue
            rendered = documents(manifests)
            check_documents(name, values, rendered, kinds, faults)
            pod = Pod(rendered)
            check_security(name, pod, faults)
            check_settings(name, values, pod, faults)
            check_lifetime(name, values, pod, faults)
            check_selectors(name, rendered, faults)
            check_network(name, values, rendered, faults)
            check_monitors(name, values, rendered, faults)
            check_notes(name, values, manifests["ndauth/templates/NOTES.txt"], faults)
            if ndauthd:
                check_ndauthd(name, rendered, ndauthd, faults)
        check_names(chart, faults)
        for name, (values, message) in BAD.items():
            refused(chart, values, message, name, faults)
    for line in faults.lines:
        print(line)
    print(
        f"{faults.checked} checks of {len(GOOD)} accepted and {len(BAD)} refused sets of values, "
        f"{len(faults.lines)} faults"
    )
    return 1 if faults.lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
