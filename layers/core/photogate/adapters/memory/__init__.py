"""Every port of photos, queue and records in this process's memory.

They pass the same contract tests as the adapters on servers, so that tests of the services run
on them in seconds. Only tests import this package: it costs no function anything, and nothing in
it outlives its process.
"""
