"""Ways to tell people and backends: one file each, behind ``photogate.ports.notices.Channel``.

``photogate.bootstrap.for_notices`` has the list of them, each with how it is made from settings.
"""
