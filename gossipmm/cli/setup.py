"""Commands that print what an installation needs: unit file, manifests, shell completion."""

from __future__ import annotations

import shutil
import sys

import click

__all__ = ("completion", "kubernetes", "systemd_unit")


@click.command()
@click.option("--config", default="/etc/gossipmm.toml", help="File.  [/etc/gossipmm.toml]")
@click.option("--group", default="gossipmm", help="Who may use the control socket.  [gossipmm]")
@click.option("--keyring", default="", metavar="FILE", help="Root's file of keys: encrypts.")
def systemd_unit(config: str, group: str, keyring: str) -> None:
    """Print a unit file for systemd.

    \b
    gossipmm systemd-unit > /etc/systemd/system/gossipmm.service
    gossipmm systemd-unit --keyring /etc/gossipmm/keyring.json > ...   # made by keygen
    """
    from gossipmm.sidecar.ops.systemd import unit

    command = shutil.which("gossipmm") or f"{sys.executable} -m gossipmm"
    click.echo(unit(command, config, group, keyring), nl=False)


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
