"""All of Photogate that looks at pixels, and nothing else does."""
