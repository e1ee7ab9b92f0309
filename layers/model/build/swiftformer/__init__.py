"""The third model: a SwiftFormer that tells blood and injuries, as its wheel has it."""
