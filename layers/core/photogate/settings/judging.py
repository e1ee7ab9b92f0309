"""What decides about a photo: policy, models, faces, markers, samples; and its copies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from photogate.settings.checks import is_address, is_uuid
from photogate.settings.reading import LogSettings


class MarkerSettings(LogSettings):
    """Whether markers in photos count."""

    photogate_test_mode: Literal["0", "1", "really"] = Field(
        "0",
        description="`1`: photos that carry a marker get the verdict that it names"
        " ([how](integrate.md#try-a-rejection)). Taken only where database and bucket are on this"
        " machine; elsewhere only as `really`.",
    )

    @property
    def test_mode(self) -> bool:
        """Whether markers count."""
        return self.photogate_test_mode != "0"


class PolicySettings(LogSettings):
    """The policy, and the face service that it may need."""

    policy: str = Field(
        "community",
        description="What decides: `community`, `profile`, `dating`, or a file: `./mine.yaml`.",
    )
    serves_originals: bool = Field(
        False,
        description="Set it where people are shown the uploaded files themselves: what copies"
        " would leave out then needs a person.",
    )
    compreface_url: Annotated[str, AfterValidator(is_address)] | None = Field(
        None, description="Where CompreFace answers: it then looks for faces, and tells ages."
    )
    compreface_api_key: Annotated[SecretStr, AfterValidator(is_uuid)] | None = Field(
        None, description="Key of a service of type DETECTION; needed with `COMPREFACE_URL`."
    )
    compreface_timeout_s: float = Field(
        10.0, ge=0.5, le=60, description="Longest time that CompreFace may take for a photo."
    )

    @model_validator(mode="after")
    def _has_face_service(self) -> PolicySettings:
        if (self.compreface_url is None) != (self.compreface_api_key is None):
            raise ValueError("COMPREFACE_URL and COMPREFACE_API_KEY go together")
        return self


class SampleSettings(LogSettings):
    """How often the machine is checked."""

    sample_approved: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of approved photos, drawn at random, that a person looks at as well, to"
        " learn how often the machine is wrong: 0.002 is one of 500.",
    )


class ModelSettings(PolicySettings):
    """The model, the face detector and the policy."""

    model_dir: Path = Field(
        description="Folder of the model bundle; `photogate model build` makes it."
    )
    second_model: str = Field(
        min_length=1,
        description="Folder of the bundle of the second model, which has to agree with the first;"
        " or `none`. `make run` and `photogate check` take a name too, `opennsfw` by default.",
    )
    third_model: str = Field(
        "none",
        min_length=1,
        description="Folder of the bundle of a third model, which only ever sends a photo to a"
        " person; or `none`. `make run` and `photogate check` take a name too: `swiftformer` tells"
        " blood and injuries.",
    )
    look: Literal["fast", "normal", "close"] | None = Field(
        None,
        description="How closely the second model looks at large photos: at the whole only"
        " (`fast`), at 2×2 parts as well (`normal`), or at 3×3 (`close`). Else the policy says it;"
        " presets say `normal`.",
    )
    model_threads: int = Field(1, ge=1, le=64, description="Threads of the model per process.")
    faces_dir: Path | None = Field(
        None,
        description="Folder of the face detector's bundle; `profile` needs it, or CompreFace.",
    )


class CopySettings(LogSettings):
    """What copies of photos look like: all that anybody is shown."""

    copy_format: Literal["jpeg", "webp"] = Field(
        "jpeg",
        description="Format of copies: `webp` takes up to a fifth less bytes and twice the time.",
    )
    copy_quality: int = Field(
        85, ge=60, le=95, description="Quality of copies, lowered where one would exceed 1 MB."
    )
    copy_display_px: int = Field(
        1600, ge=480, le=2048, description="Longer side of the copy that is shown."
    )
    copy_thumb_px: int = Field(320, ge=64, le=640, description="Longer side of the small copy.")
