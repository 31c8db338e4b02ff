"""The cluster files that users start from: right by Ray's own validator, and by the fields a RayJob has."""

from __future__ import annotations

import copy
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Any:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def job() -> Any:
    return yaml.safe_load((ROOT / "deploy" / "rayjob.yaml").read_text("utf-8"))


def test_cluster_yaml_is_valid_by_ray_s_own_validator(cluster: Any) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(cluster)
    validate_config(config)
    with pytest.raises(Exception, match="nonsense"):
        validate_config({**config, "nonsense": 1})


def test_nothing_runs_while_nothing_is_asked_and_no_more_than_a_limit(cluster: Any) -> None:
    kinds = cluster["available_node_types"]
    head = kinds.pop(cluster["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert kinds["gpu_worker"]["resources"]["GPU"] >= 1 and "GPU" not in kinds["cpu_worker"]["resources"]
    for kind in kinds.values():
        assert kind["min_workers"] == 0 < kind["max_workers"]
    assert cluster["max_workers"] >= max(kind["max_workers"] for kind in kinds.values())


def test_the_cluster_asks_for_a_token_and_keeps_to_itself(cluster: Any) -> None:
    starts = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    for command in (each for each in starts if "ray start" in each):
        words = shlex.split(command, posix=True)
        assert "RAY_AUTH_MODE=token" in words and "--disable-usage-stats" in words
        if "--head" in words:
            assert "--dashboard-host=127.0.0.1" in words
    assert any("auth_token" in place for place in cluster["file_mounts"])


def test_every_node_installs_this_repository_which_goes_along(cluster: Any) -> None:
    gpu = cluster["available_node_types"]["gpu_worker"]["worker_setup_commands"]
    for commands, extras in ((cluster["setup_commands"], "[cluster]"), (gpu, "[cluster,gpu]")):
        [install] = [shlex.split(command, comments=True) for command in commands]
        assert install[:3] == ["pip", "install", "-c"] and install[-1].endswith(extras)
        place = install[-1].removesuffix(extras)
        assert cluster["file_mounts"][place] == "." and install[3] == f"{place}/constraints.txt"


def record(**fields: Any) -> dict[str, Any]:
    """A JSON Schema object: exactly these fields may be there, those called ``name_`` must."""
    properties = {name.rstrip("_").replace("__", "-"): schema for name, schema in fields.items()}
    required = [name.rstrip("_").replace("__", "-") for name in fields if name.endswith("_")]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TEXT, FLAG, COUNT = {"type": "string", "minLength": 1}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
AMOUNTS = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti)?$"},
}
POD = record(
    spec_=record(
        containers_={
            "type": "array",
            "minItems": 1,
            "items": record(
                name_=TEXT,
                image_=TEXT,
                resources_=record(requests_=AMOUNTS, limits_=AMOUNTS),
                volumeMounts={"type": "array", "items": record(name_=TEXT, mountPath_=TEXT)},
                env={"type": "array", "items": record(name_=TEXT, value=TEXT, valueFrom={"type": "object"})},
            ),
        },
        volumes={"type": "array", "items": record(name_=TEXT, persistentVolumeClaim_=record(claimName_=TEXT))},
    )
)
START = {"type": "object", "additionalProperties": {"type": "string"}}
RAY_JOB = record(
    apiVersion_={"const": "ray.io/v1"},
    kind_={"const": "RayJob"},
    metadata_=record(name_={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$"}, namespace=TEXT),
    spec_=record(
        entrypoint_=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=COUNT,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=COUNT,
        activeDeadlineSeconds=COUNT,
        runtimeEnvYAML=TEXT,
        rayClusterSpec_=record(
            rayVersion_=TEXT,
            authOptions_=record(mode_={"enum": ["token", "disabled"]}),
            enableInTreeAutoscaling=FLAG,
            autoscalerOptions=record(version={"enum": ["v1", "v2"]}, idleTimeoutSeconds=COUNT),
            headGroupSpec_=record(rayStartParams_=START, template_=POD),
            workerGroupSpecs={
                "type": "array",
                "items": record(
                    groupName_=TEXT,
                    replicas=COUNT,
                    minReplicas_=COUNT,
                    maxReplicas_=COUNT,
                    rayStartParams_=START,
                    template_=POD,
                ),
            },
        ),
    ),
)
"""The fields of KubeRay's RayJob (ray.io/v1) that a manifest like ours uses; the API server drops unknown ones silently."""


def test_the_rayjob_has_only_fields_that_kuberay_knows(job: Any) -> None:
    jsonschema.Draft202012Validator(RAY_JOB).validate(job)


@pytest.mark.parametrize(
    ("place", "slip"),
    [
        (("spec",), {"backofLimit": 3}),
        (("spec",), {"submissionMode": "k8sJobMode", "backoffLimit": "3"}),
        (("spec", "rayClusterSpec", "authOptions"), {"mode": "tokens"}),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec"), {"container": []}),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0), {"minReplicas": "none"}),
    ],
)
def test_a_slip_in_the_rayjob_is_found(job: Any, place: tuple[Any, ...], slip: Any) -> None:
    wrong = copy.deepcopy(job)
    inner = wrong
    for step in place:
        inner = inner[step]
    inner |= slip
    assert not jsonschema.Draft202012Validator(RAY_JOB).is_valid(wrong)


def test_the_rayjob_asks_for_a_token_resumes_and_goes_when_it_is_done(job: Any) -> None:
    spec = job["spec"]
    ray = spec["rayClusterSpec"]
    assert ray["authOptions"] == {"mode": "token"}
    assert spec["shutdownAfterJobFinishes"] and spec["backoffLimit"] >= 1
    assert ray["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    groups = {group["groupName"]: group for group in ray["workerGroupSpecs"]}
    assert all(group["minReplicas"] == 0 < group["maxReplicas"] for group in groups.values())
    limits = groups["gpu"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"


def test_every_pod_sees_the_same_files(job: Any) -> None:
    ray = job["spec"]["rayClusterSpec"]
    groups = [ray["headGroupSpec"], *ray["workerGroupSpecs"]]
    places = set()
    for group in groups:
        pod = group["template"]["spec"]
        claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]}
        places |= {(claims[mount["name"]], mount["mountPath"]) for mount in pod["containers"][0]["volumeMounts"]}
    [(_, mounted)] = places
    assert f"--root {mounted}" in job["spec"]["entrypoint"]


def test_the_versions_are_those_that_are_installed(cluster: Any, job: Any) -> None:
    from importlib.metadata import version

    ray = version("ray")
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == ray
    images = [cluster["docker"]["head_image"], cluster["docker"]["worker_image"]]
    images += [k["docker"]["worker_image"] for k in cluster["available_node_types"].values() if "docker" in k]
    assert all(f":{ray}-py311" in image for image in images)
