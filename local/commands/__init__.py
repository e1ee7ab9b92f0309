"""The commands of ``photogate``, one file for each group; ``local.cli`` puts them together."""
