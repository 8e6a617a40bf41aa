"""What is Anthropic's in every dialect that takes it: blocks of messages, tools and the choice between them."""
