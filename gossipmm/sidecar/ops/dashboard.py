"""A dashboard for Grafana: what is wrong first, then members, topics, network and agents.

Its panels stand in ``shipped/dashboard.toml``. They ask for nothing but the metrics of
``/metrics``, from the data source and of the job that are chosen at the top. The form is the one
that Grafana 10 and later import (``schemaVersion`` 39).
"""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from typing import Any

__all__ = ("dashboard",)

#: What every query is narrowed to: the job and the instances chosen at the top.
_WHERE = 'job="$job",instance=~"$instance"'
_SOURCE = {"type": "prometheus", "uid": "${source}"}
#: The grid, and a panel of it.
_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 8
#: Colours of the verdicts, the worst last.
_VERDICTS = {
    "ok": "green",
    "degraded": "yellow",
    "leaving": "blue",
    "not_joined": "orange",
    "isolated": "red",
    "conflict": "purple",
}


def dashboard() -> str:
    """Return the dashboard, as JSON for Grafana's import."""
    return json.dumps(_dashboard(), indent=1) + "\n"


def _dashboard() -> dict[str, Any]:
    return {
        "title": "gossipmm",
        "uid": "gossipmm",
        "description": 'Written by "gossipmm dashboard".',
        "tags": ["gossipmm"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "panels": _panels(),
    }


def _variables() -> list[dict[str, Any]]:
    """Return what is chosen at the top: data source, job, instances."""
    values = 'label_values(gossipmm_joined{job="$job"}, instance)'
    return [
        {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
        {
            "name": "job",
            "label": "Job",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": "label_values(gossipmm_joined, job)", "refId": "job"},
            "refresh": 2,
        },
        {
            "name": "instance",
            "label": "Instance",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": values, "refId": "instance"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _panels() -> list[dict[str, Any]]:
    """Lay the rows out on the grid of 24 columns."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in tomllib.loads((files(__package__) / "shipped/dashboard.toml").read_text())["row"]:
        at = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
        title = {"type": "row", "title": row["title"], "panels": []}
        panels.append({"id": len(panels) + 1, "gridPos": at, **title})
        x, y = 0, y + 1
        for panel in row["panel"]:
            width = panel.get("width", _WIDTH)
            if x + width > _COLUMNS:
                x, y = 0, y + _HEIGHT
            at = {"x": x, "y": y, "w": width, "h": _HEIGHT}
            panels.append({"id": len(panels) + 1, "gridPos": at, **_panel(panel)})
            x += width
        y += _HEIGHT
    return panels


def _panel(panel: dict[str, Any]) -> dict[str, Any]:
    """Return a panel in Grafana's form."""
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _SOURCE,
            "expr": expression.replace("WHERE", _WHERE),
            "legendFormat": legend,
        }
        for number, (expression, legend) in enumerate(panel["queries"])
    ]
    kind = panel.get("kind", "timeseries")
    shown = _series(panel) if kind == "timeseries" else _stat()
    shown["fieldConfig"]["defaults"] |= {"unit": panel.get("unit", "short"), "min": 0}
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel["text"],
        "datasource": _SOURCE,
        "targets": targets,
        **shown,
    }


def _series(panel: dict[str, Any]) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.get("stacked") else "none"}
    custom = {"stacking": stacking, "fillOpacity": 10}
    return {
        "fieldConfig": {"defaults": {"custom": custom}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
    }


def _stat() -> dict[str, Any]:
    """Return the last values, each verdict in its colour."""
    colours = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in _VERDICTS.items()
    ]
    return {
        "fieldConfig": {"defaults": {}, "overrides": colours},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none"},
    }
