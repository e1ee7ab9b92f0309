# Stand-ins of the servers in local/compose.yaml, for machines that can fetch no image. They take
# the same variables, users, folders and commands as the images whose names they get; the
# versions of PostgreSQL, Redis, Caddy and Prometheus are Debian's.
ARG BASE
FROM ${BASE} AS debian
LABEL photogate.stand-in=1
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
      --no-install-recommends postgresql redis-server


FROM debian AS postgres
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin \
    PGDATA=/var/lib/postgresql/data
RUN install --directory --owner postgres --group postgres --mode 700 "$PGDATA" \
 && install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
ENTRYPOINT ["sh", "-euc", "\
  if [ ! -e $PGDATA/PG_VERSION ]; then \
    printf %s \"$POSTGRES_PASSWORD\" > /tmp/password; \
    initdb --encoding UTF8 --locale C.UTF-8 --username \"$POSTGRES_USER\" --pwfile /tmp/password $POSTGRES_INITDB_ARGS; \
    rm /tmp/password; \
    echo 'host all all all scram-sha-256' >> $PGDATA/pg_hba.conf; \
    pg_ctl --wait --options '-h \"\"' start; \
    createdb --username \"$POSTGRES_USER\" \"$POSTGRES_DB\"; \
    pg_ctl --wait stop; \
  fi; \
  exec postgres -h '*'"]


FROM debian AS redis
RUN install --directory --owner redis --group redis /data


FROM ${BASE} AS of-debian
LABEL photogate.stand-in=1
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
      --no-install-recommends caddy prometheus netcat-openbsd


FROM of-debian AS caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data


FROM of-debian AS prometheus
RUN install --directory --owner 65534 --group 65534 /prometheus


FROM ${BASE} AS moto
ARG VERSION
LABEL photogate.stand-in=1
RUN pip install --quiet --no-cache-dir "moto[server,s3,sqs]==${VERSION}"
ENTRYPOINT ["moto_server", "-H", "0.0.0.0"]
