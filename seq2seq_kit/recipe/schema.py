"""The old place of the recipes' classes, which are in the folders of their tasks now. Nothing in the kit imports it."""

from importlib import import_module


def __getattr__(name: str) -> object:
    from seq2seq_kit.recipe import fields

    if hasattr(fields, name):
        return getattr(fields, name)
    for task in ("forecast", "next_step", "autoencode", "whole", "translate", "tag", "classify", "echo"):
        module = import_module(f"{__package__.partition('.')[0]}.tasks.{task}.recipe")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
