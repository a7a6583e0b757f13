"""From a table as somebody has it to a recipe that trains: what the table is, what the recipe says of it, how it is written.

`source`, `clock`, `steps`, `grouping`, `roles`, `signal` and `seasons` look at the table and decide nothing;
`sizes`, `rows`, `targets` and a module for each kind of recipe decide; `writing` writes. Every decision is a sentence
with its reason, and so is every refusal.
"""

from seq2seq_kit.drafting.draft import Draft, draft_recipe

__all__ = ["Draft", "draft_recipe"]
