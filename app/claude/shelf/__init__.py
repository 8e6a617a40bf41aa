"""The processes that wait, what each knows, and which of them a turn gets."""
