"""Commands that print what an installation needs: unit, manifests, image, alerts, completion."""

from __future__ import annotations

import shutil
import sys

import click

__all__ = ("alerts", "completion", "dashboard", "dockerfile", "kubernetes", "systemd_unit")


@click.command()
@click.option("--config", default="/etc/gossipmm.toml", help="File.  [/etc/gossipmm.toml]")
@click.option("--group", default="gossipmm", help="Who may use the control socket.  [gossipmm]")
@click.option("--keyring", default="", metavar="FILE", help="Root's file of keys: encrypts.")
@click.option(
    "--identity-key", default="", metavar="FILE", help="Root's file of this node's own key."
)
@click.option("--sysusers", is_flag=True, help="Print the file for sysusers.d instead.")
def systemd_unit(config: str, group: str, keyring: str, identity_key: str, sysusers: bool) -> None:
    """Print a unit file for systemd.

    User and group are there while the agent runs; programs that start earlier, and belong to the
    group, need them to be permanent.

    \b
    gossipmm systemd-unit > /etc/systemd/system/gossipmm.service
    gossipmm systemd-unit --keyring /etc/gossipmm/keyring.json > ...   # made by keygen
    gossipmm systemd-unit --sysusers > /etc/sysusers.d/gossipmm.conf
    """
    from gossipmm.sidecar.ops import systemd

    if sysusers:
        click.echo(systemd.sysusers(group), nl=False)
        return

    command = shutil.which("gossipmm") or f"{sys.executable} -m gossipmm"
    click.echo(systemd.unit(command, config, group, keyring, identity_key), nl=False)


@click.command()
@click.option("--namespace", default="default", help="Namespace.  [default]")
@click.option("--image", default="gossipmm:latest", help="An image that has gossipmm[sidecar].")
def kubernetes(namespace: str, image: str) -> None:
    """Print manifests for Kubernetes.

    A headless service as the seed, and a deployment with the agent beside a program.

    \b
    gossipmm keygen keyring.json
    kubectl create secret generic gossipmm --from-file=keyring.json
    gossipmm kubernetes --image registry/gossipmm | kubectl apply -f -
    """
    from gossipmm.sidecar.ops.kubernetes import manifests

    click.echo(manifests(namespace, image), nl=False)


@click.command()
def dockerfile() -> None:
    """Print a Dockerfile: the agent, without root.

    \b
    gossipmm dockerfile > Dockerfile
    docker build -t gossipmm .
    """
    click.echo(_shipped("Dockerfile"), nl=False)


@click.command()
def alerts() -> None:
    """Print alert rules for Prometheus.

    Each says what is wrong and what to run. The scrape job is taken to be called gossipmm.

    \b
    gossipmm alerts > /etc/prometheus/gossipmm-alerts.yml    # name it in rule_files
    """
    click.echo(_shipped("alerts.yml"), nl=False)


@click.command()
def dashboard() -> None:
    """Print a dashboard for Grafana.

    It shows what /metrics says, as Prometheus scraped it.

    \b
    gossipmm dashboard > gossipmm.json    # Dashboards, New, Import
    """
    from gossipmm.sidecar.ops import dashboard as grafana

    click.echo(grafana.dashboard(), nl=False)


def _shipped(name: str) -> str:
    """Return a file that the package ships."""
    from importlib.resources import files

    return (files("gossipmm.sidecar.ops") / "shipped" / name).read_text()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print completions for a shell.

    They complete commands, options, topics and members.

    \b
    gossipmm completion bash > /etc/bash_completion.d/gossipmm
    gossipmm completion zsh  > "${fpath[1]}/_gossipmm"
    gossipmm completion fish > ~/.config/fish/completions/gossipmm.fish
    """
    from click.shell_completion import get_completion_class

    from gossipmm.cli.app import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "gossipmm", "_GOSSIPMM_COMPLETE").source())
