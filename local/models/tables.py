"""Shows a model that is to be added, and how it did in its trial."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from local.models.build import DEFAULT
from local.models.huggingface import HuggingFaceModel
from local.models.trial import REVIEW, Trial
from photogate_vision.classifier.bundle import Gives
from photogate_vision.classifier.resizing import Fit

_GIVES = {
    Gives.PROBABILITIES: "probabilities that add up to 1",
    Gives.LOGITS: "logits; a softmax makes them probabilities",
    Gives.INDEPENDENT_PROBABILITIES: "a probability for each label by itself",
    Gives.INDEPENDENT_LOGITS: "a logit for each label by itself; a sigmoid follows",
}
#: Licences that ask for little more than to be named.
_EASY = {"mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "isc", "unlicense"}


def facts_table(model: HuggingFaceModel, trial: Trial) -> Table:
    """Show what the files said."""
    table = Table(show_header=False)
    for name, value in _facts(model, trial):
        table.add_row(name, escape(value))
    return table


def _facts(model: HuggingFaceModel, trial: Trial) -> list[tuple[str, str]]:
    read, normalisation = trial.bundle.input, trial.bundle.normalisation
    low, high = (
        (value * normalisation.scale - normalisation.mean[0]) / normalisation.std[0]
        for value in (0, 255)
    )
    return [
        (
            "file",
            f"{model.file.relative_to(model.folder)}, {model.file.stat().st_size:,} bytes",
        ),
        ("sha256", model.digest),
        ("licence", model.license),
        ("reads", f"{read.name}: {read.size} × {read.size} RGB, {read.dtype}, {read.layout}"),
        ("resizing", _resizing(trial)),
        ("normalisation", f"mean {normalisation.mean}, std {normalisation.std}"),
        ("", f"so that red is {low:.3g} to {high:.3g}"),
        ("gives", _GIVES[trial.bundle.gives]),
        *(
            ("label" if n == 0 else "", f"{label} → {category}")
            for n, (label, category) in enumerate(
                zip(model.labels, trial.bundle.categories, strict=True)
            )
        ),
    ]


def _resizing(trial: Trial) -> str:
    resizing = trial.bundle.input.resizing
    how = "squeezed to" if resizing.fit is Fit.SQUEEZE else "shorter side to"
    cut = "" if resizing.side == resizing.to else f", the middle {resizing.side} px of it"
    return f"{how} {resizing.to} px ({resizing.resample.name.lower()}){cut}"


def trial_table(trial: Trial) -> Table:
    """Show what the model says about harmless photographs, beside the shipped one."""
    categories = list(trial.looks[0].scores)
    table = Table("photograph", title="Trial on harmless photographs", title_justify="left")
    for column in (*categories, "ms", f"explicit, {DEFAULT}", f"ms, {DEFAULT}"):
        table.add_column(column, justify="right")
    for look in trial.looks:
        table.add_row(
            look.photo,
            *(f"{look.scores[category]:.3f}" for category in categories),
            f"{look.ms:.1f}",
            "" if look.shipped_explicit is None else f"{look.shipped_explicit:.3f}",
            "" if look.shipped_ms is None else f"{look.shipped_ms:.1f}",
        )
    return table


def remarks(model: HuggingFaceModel, trial: Trial) -> list[str]:
    """Give what a person should know before accepting."""
    found = [
        "The NSFW bounds of the presets were calibrated for the shipped model: watch what goes"
        " to review, and expect to move them.",
        "Nothing here shows that it finds explicit photos.",
    ]
    if model.license == "unknown":
        found.append("Its folder states no licence: whether you may use it is yours to find out.")
    elif model.license not in _EASY:
        found.append(
            f"Its licence is {model.license}: whether you may use it is yours to find out."
        )
    if trial.alarms:
        found.append(
            f"It scores {trial.alarms} of {len(trial.looks)} harmless photographs above"
            f" {REVIEW:.2f} explicit: the presets would hold them up."
        )
    resizing = trial.bundle.input.resizing
    if resizing.fit is Fit.SHORTEST_EDGE or resizing.side < resizing.to:
        found.append("It is shown the middle of a photo only: what is near the edges is not seen.")
    if "sexy" not in trial.bundle.categories:
        found.append(
            "Nothing is mapped to sexy: suggestive pictures raise no suspicion of this model."
        )
    return found
