"""Reads how a model of Hugging Face wants its pictures: ``preprocessor_config.json``.

The same fields mean different things to different image processors, and left-out ones
have different defaults. So only those are read of which it is known; the source of each
line of ``_FAMILIES`` is ``image_processing_<name>.py`` in huggingface/transformers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from photogate_vision.classifier.bundle import Normalisation
from photogate_vision.classifier.resizing import Fit, Resizing
from photogate_vision.decoding.shaping import WORKING_SIDE
from photogate_vision.manifest import Manifest

FILE = "preprocessor_config.json"


@dataclass(frozen=True, kw_only=True)
class _Family:
    """What an image processor does where its configuration is silent."""

    #: What a ``size`` of one number is.
    fit: Fit
    resample: Image.Resampling
    crops: bool = False


_SQUARE = _Family(fit=Fit.SQUEEZE, resample=Image.Resampling.BILINEAR)
_SQUARE_CUBIC = _Family(fit=Fit.SQUEEZE, resample=Image.Resampling.BICUBIC)
_CROPPED = _Family(fit=Fit.SHORTEST_EDGE, resample=Image.Resampling.BICUBIC, crops=True)
_FAMILIES = {
    "ViT": _SQUARE,
    "Siglip": _SQUARE_CUBIC,
    "DeiT": _Family(fit=Fit.SQUEEZE, resample=Image.Resampling.BICUBIC, crops=True),
    "Beit": _Family(fit=Fit.SQUEEZE, resample=Image.Resampling.BICUBIC, crops=True),
    "CLIP": _CROPPED,
    "Bit": _CROPPED,
    "ConvNext": _Family(fit=Fit.SHORTEST_EDGE, resample=Image.Resampling.BICUBIC),
    "EfficientNet": _Family(fit=Fit.SQUEEZE, resample=Image.Resampling.NEAREST),
}
#: From this on ConvNext squeezes; below it cuts the middle out.
_CONVNEXT_SQUEEZES = 384
_CONVNEXT_CROP = 224 / 256


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """From a picture to the values that the model reads."""

    resizing: Resizing
    normalisation: Normalisation


def read_preparation(folder: Path, *, way_out: str) -> Preparation:
    """Read the folder's ``preprocessor_config.json``.

    Raises:
        ConfigError: it is missing, or asks for what this version cannot do; the line
            names the field and ends with ``way_out``.
    """
    config = Manifest(folder, FILE, way_out=way_out)
    name = _family_name(config)
    for field in ("do_pad", "rescale_offset", "do_flip_channel_order"):
        if _flag(config, field, default=False):
            raise config.wrong(field, "is true, which is not supported")
    if not _flag(config, "do_resize", default=True):
        raise config.wrong("do_resize", "is false: photos come in all sizes")
    return Preparation(
        resizing=_resizing(config, name, _FAMILIES[name]),
        normalisation=_normalisation(config, name),
    )


def _family_name(config: Manifest) -> str:
    field = "image_processor_type"
    if not config.has(field) and config.has("feature_extractor_type"):
        field = "feature_extractor_type"
    kind = config.text(field)
    name = re.sub(r"(ImageProcessor(Fast|Pil)?|FeatureExtractor)$", "", kind)
    if name not in _FAMILIES:
        known = ", ".join(f"{family}ImageProcessor" for family in _FAMILIES)
        raise config.wrong(field, f"is {kind!r}; known are {known}")
    return name


def _resizing(config: Manifest, name: str, family: _Family) -> Resizing:
    fit, to = _size(config, "size", family.fit)
    side = to
    if name == "ConvNext":
        if to >= _CONVNEXT_SQUEEZES:
            fit = Fit.SQUEEZE
        else:
            share = config.number("crop_pct") if config.has("crop_pct") else _CONVNEXT_CROP
            if not 0 < share <= 1:
                raise config.wrong("crop_pct", "is not above 0 and up to 1")
            fit, to = Fit.SHORTEST_EDGE, int(to / share)
    elif _flag(config, "do_center_crop", default=family.crops):
        side = _size(config, "crop_size", Fit.SQUEEZE)[1]
        if side > to:
            raise config.wrong("crop_size", f"is larger than size ({to}): padding is not supported")
    elif fit is Fit.SHORTEST_EDGE:
        raise config.wrong(
            "size", "has a shortest_edge without do_center_crop: no square comes out"
        )
    if side < 32 or to > WORKING_SIDE:
        raise config.wrong("size", f"is not from 32 to {WORKING_SIDE} pixels, which are kept here")
    return Resizing(fit=fit, to=to, side=side, resample=_resample(config, family))


def _size(config: Manifest, field: str, number_means: Fit) -> tuple[Fit, int]:
    value = config.value(field)
    if isinstance(value, Mapping):
        sides = dict(value)
        if set(sides) == {"shortest_edge"} and field == "size":
            return Fit.SHORTEST_EDGE, config.whole("size.shortest_edge", 1, 4096)
        if set(sides) != {"height", "width"} or sides["height"] != sides["width"]:
            raise config.wrong(field, f"is {sides}, not a square or a shortest_edge")
        return Fit.SQUEEZE, config.whole(f"{field}.height", 1, 4096)
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
        number_means = Fit.SQUEEZE
    if type(value) is not int or not 1 <= value <= 4096:
        raise config.wrong(field, f"is {value!r}, not a square or a shortest_edge")
    return number_means, value


def _resample(config: Manifest, family: _Family) -> Image.Resampling:
    if not config.has("resample"):
        return family.resample
    return Image.Resampling(config.whole("resample", 0, len(Image.Resampling) - 1))


def _normalisation(config: Manifest, name: str) -> Normalisation:
    scale = 1.0
    if _flag(config, "do_rescale", default=True):
        scale = config.number("rescale_factor") if config.has("rescale_factor") else 1 / 255
        if scale <= 0:
            raise config.wrong("rescale_factor", "is not above 0")
    if not _flag(config, "do_normalize", default=True):
        return Normalisation(scale=scale, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    mean, std = _channels(config, "image_mean"), _channels(config, "image_std")
    if min(std) <= 0:
        raise config.wrong("image_std", "is not above 0")
    if name == "EfficientNet" and _flag(config, "include_top", default=True):
        # It divides twice: its models were trained this way.
        std = (std[0] ** 2, std[1] ** 2, std[2] ** 2)
    return Normalisation(scale=scale, mean=mean, std=std)


def _channels(config: Manifest, field: str) -> tuple[float, float, float]:
    value = config.value(field)
    if not isinstance(value, list):
        value = [value] * 3
    if len(value) != 3:
        raise config.wrong(field, "is not three numbers")
    red, green, blue = (config.number(field, item) for item in value)
    return red, green, blue


def _flag(config: Manifest, field: str, *, default: bool) -> bool:
    if not config.has(field):
        return default
    value = config.value(field)
    if not isinstance(value, bool):
        raise config.wrong(field, f"is {value!r}, not true or false")
    return value
