"""The models on this machine: built here, or added from a folder in Hugging Face's layout."""
