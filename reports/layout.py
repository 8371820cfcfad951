"""Where things stand in a chart: its scales, axes and legend, read from a specification of `reports.charts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reports.marks import Row, column, stack
from reports.palette import LIGHT, LIGHT_HEAT
from reports.scales import Band, Linear, nice, number_labels, ticks

PADDING = 4
RIGHT = 14
_NARROW = frozenset("ijlt.,:;'|!()[]/ I−-")
_WIDE = frozenset("mwMW%@")


@dataclass(frozen=True)
class Layer:
    """One mark with all its encodings and its rows."""

    mark: Mapping[str, Any]
    encoding: Mapping[str, Any]
    rows: Sequence[Row]

    def field(self, channel: str) -> str | None:
        found = self.encoding.get(channel, {}).get("field")
        return None if found is None else str(found)


class Plot:
    """A specification with its scales worked out."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.height = float(spec["height"])
        self.params = {param["name"]: param.get("value") for param in spec.get("params", [])}
        rows = spec["data"].get("values", [])
        shared = spec.get("encoding", {})
        self.layers = [
            Layer(layer["mark"], {**shared, **layer.get("encoding", {})}, layer.get("data", {}).get("values", rows))
            for layer in spec.get("layer", [{"mark": spec.get("mark", {})}])
        ]

    @cached_property
    def names(self) -> list[str]:
        """The lines of the chart, in the order of their colours."""
        for layer in self.layers:
            colour = layer.encoding.get("color", {})
            if colour.get("field") == "metric":
                return list(colour["scale"]["domain"])
        return []

    @cached_property
    def y(self) -> Linear | Band:
        return self._scale("y", self.height, flip=True)

    @cached_property
    def x(self) -> Linear | Band:
        return self._scale("x", self.width)

    @cached_property
    def width(self) -> float:
        return float(self.spec["width"]) - self.left - RIGHT

    @cached_property
    def left(self) -> float:
        """Room for the labels and the title of the y axis."""
        if not self.has_y_axis:
            return PADDING
        return PADDING + max(map(text_width, self.y_labels), default=0) + 6 + (13 if self.y_title else 0)

    @cached_property
    def y_ticks(self) -> list[float]:
        return ticks(self.y.low, self.y.high, 4) if isinstance(self.y, Linear) else []

    @property
    def y_labels(self) -> list[str]:
        return number_labels(self.y_ticks) if isinstance(self.y, Linear) else [str(name) for name in self.y.names]

    @property
    def y_title(self) -> str:
        return str(self._definition("y").get("title") or "")

    @property
    def x_title(self) -> str:
        return str(self._definition("x").get("title") or "")

    @property
    def is_over_time(self) -> bool:
        return bool(self._definition("x").get("type") == "temporal")

    @property
    def has_x_axis(self) -> bool:
        return self._definition("x").get("axis", {}) is not None

    @property
    def has_y_axis(self) -> bool:
        return self._definition("y").get("axis", {}) is not None

    @property
    def x_values(self) -> list[object]:
        """The steps of a band that carry a label; empty for all."""
        return list(self._definition("x").get("axis", {}).get("values", []))

    @property
    def has_legend(self) -> bool:
        """Lines say whether they have one; a scale of shades always has."""
        colours = [layer.encoding.get("color", {}) for layer in self.layers]
        return any(colour.get("legend") or "range" in colour.get("scale", {}) for colour in colours)

    @cached_property
    def shades(self) -> tuple[float, float, tuple[str, ...]]:
        """Bounds and colours of a scale of shades."""
        layer = self.layers[0]
        scale = layer.encoding["color"]["scale"]
        values = column(layer.rows, "value")
        top = float(np.nanmax(values)) if values.size and not np.isnan(values).all() else 1.0
        low, high = scale.get("domain", (0.0, top))
        return float(low), float(high), tuple(scale.get("range", LIGHT_HEAT))

    def shade(self, value: float) -> str:
        low, high, colours = self.shades
        place = int((value - low) / ((high - low) or 1.0) * len(colours))
        return colours[min(max(place, 0), len(colours) - 1)]

    def colour(self, name: str) -> str:
        return LIGHT[self.names.index(name) % len(LIGHT)]

    def _definition(self, channel: str) -> Mapping[str, Any]:
        for layer in self.layers:
            if "type" in layer.encoding.get(channel, {}):
                found: Mapping[str, Any] = layer.encoding[channel]
                return found
        return {}

    def _scale(self, channel: str, length: float, *, flip: bool = False) -> Linear | Band:
        definition = self._definition(channel)
        domain = definition.get("scale", {}).get("domain")
        if definition.get("type") == "ordinal":
            return Band(tuple(domain or ()), length)
        if definition.get("type") == "temporal":
            return Linear(float(self.params["start"]), float(self.params["end"]), length)
        if domain is not None:
            return Linear(float(domain[0]), float(domain[1]), length, flip)
        values = self._values(channel)
        low, high = float(min(values, default=0)), float(max(values, default=1))
        if "bin" in definition:
            return Linear(low, max(high, low + 1e-9), length, flip)
        if channel == "y" or definition.get("scale", {}).get("zero"):
            low = min(0.0, low)
        return Linear(*nice(low, high if high > low else low + 1), length, flip)

    def _values(self, channel: str) -> list[float]:
        """What an axis must hold: every field and datum of the channel, stacks summed."""
        found: list[float] = []
        for layer in self.layers:
            definition = layer.encoding.get(channel, {})
            if "datum" in definition:
                found.append(float(definition["datum"]))
            elif definition.get("stack"):
                found += self._stacked(layer)
            else:
                fields = [name for key in (channel, f"{channel}2") if (name := layer.field(key))]
                found += [row[name] for name in fields for row in layer.rows if row[name] is not None]
        return found

    def _stacked(self, layer: Layer) -> list[float]:
        floor: dict[float, float] = {}
        for name in self.names:
            rows = [row for row in layer.rows if row["metric"] == name]
            stack(column(rows, "timestamp"), column(rows, "value"), floor)
        return list(floor.values())


def text_width(text: str) -> float:
    """About the width of a text in pixels, in ten-pixel Arial."""
    return sum(3.0 if character in _NARROW else 8.6 if character in _WIDE else 5.6 for character in text)
