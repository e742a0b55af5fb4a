"""A rebase beside the build that it saves, of the same image on the same base: the demo's images on its Debian.

The demo's base gets its security update. Then every image that stands on it is brought onto it, bases first, once
by a build (the local ACR Tasks, which is buildah with a warm store) and once by a rebase; what is rebased becomes
the stable image, for the next to stand on. Both from the first request to the candidate in the registry.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import networkx as nx

from bench.result import Result
from graph.lineage import Lineage
from graph.reference import Reference
from groundswell.build.port import BuildRequest, RunStatus
from groundswell.lineage.checkout import read
from groundswell.lineage.model import Registration
from groundswell.local import scenario, seed
from groundswell.local.bases import Variant, build_base
from groundswell.local.company import Company
from groundswell.local.debs import fetch_packages
from groundswell.local.paths import home
from groundswell.local.push import push
from groundswell.local.stack import Stack
from groundswell.registry.chain import prove
from groundswell.wiring import App

_POLL = 0.02
_TAG = "gs-0000000000-0123456789-1"
_LEFT_OUT = (scenario.FAILS, scenario.BLOCKED_MEANWHILE)
"""They do not build on the new base."""


def rebase() -> Result:
    """Seconds for all images together, none of them twice."""
    packages = home() / "packages"
    fetch_packages(packages)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        app = stack.app()
        old = push(build_base(packages, Variant.VULNERABLE), stack.login, *scenario.BASE.split(":"))
        company = Company(stack.repositories, stack.addresses["git"])
        company.create(registry=stack.registry.login_server, pin=old)
        registrations = read(company.tree)
        seed.images(stack, app, registrations, base=old)
        stood = {str(each): app.registry.digest(each) or "" for image in registrations for each in image.references}
        stood[f"{stack.registry.login_server}/{scenario.BASE}"] = old
        push(build_base(packages, Variant.FIXED), stack.login, *scenario.BASE.split(":"))
        images = list(_on_the_base(registrations, stood))
        rebuilt = rebased = 0.0
        for image in images:
            rebuilt += _build(app, image)
            rebased += _rebase(app, image, stood)
    return Result(
        value=rebased, unit="s", baseline=f"the builds of the same {len(images)} images", baseline_value=rebuilt
    )


def _on_the_base(registrations: tuple[Registration, ...], stood: Mapping[str, str]) -> Iterator[Registration]:
    """Those that a push of the base reaches by runtime edges, bases first."""
    by_name = {image.name: image for image in registrations if image.name not in _LEFT_OUT}
    graph = Lineage(image.node for image in registrations).graph
    for name in nx.lexicographical_topological_sort(graph):
        if (image := by_name.get(name)) and image.runtime in stood:
            yield image


def _build(app: App, image: Registration) -> float:
    request = BuildRequest(
        name=f"bench-{image.name.replace('/', '-')}",
        registry=image.registry,
        repository=image.repository,
        tag=f"{_TAG}1",
        source=image.source,
        dockerfile=image.dockerfile,
        target=image.target,
        build_args=image.build_args,
    )
    began = time.perf_counter()
    run = app.builder.start(request)
    while not (seen := app.builder.observe(image.registry, run.id)).status.ended:
        time.sleep(_POLL)
    took = time.perf_counter() - began
    if seen.status is not RunStatus.SUCCEEDED:
        raise RuntimeError(f"{image.name} does not build:\n{app.builder.log(image.registry, run.id)}")
    return took


def _rebase(app: App, image: Registration, stood: Mapping[str, str]) -> float:
    stable, base = image.references[0], Reference.parse(image.runtime or "")
    began = time.perf_counter()
    new = base.with_digest(app.registry.digest(base) or "")
    digest = app.registry.rebase(
        stable.with_digest(app.registry.digest(stable) or ""),
        old=base.with_digest(stood[str(base)]),
        new=new,
        tag=_TAG,
    )
    took = time.perf_counter() - began
    candidate = replace(stable, tag=None, digest=digest)
    made, below = app.registry.image(candidate), app.registry.image(new)
    if made is None or below is None or not prove(made, below).proven:
        raise RuntimeError(f"{image.name} does not stand on {new}")
    app.registry.promote(candidate, image.tags)
    return took
