# syntax=docker/dockerfile:1

FROM python:3.11-slim AS build
WORKDIR /src
# What Conch stands on changes seldom and is large: a layer of its own, before the code.
COPY pyproject.toml constraints.txt install.py ./
RUN --mount=type=cache,target=/root/.cache/pip python install.py --only-dependencies /opt/conch local
COPY README.md ./
COPY bots bots
COPY core core
COPY config config
RUN /opt/conch/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .


FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin conch \
    && install -d -m 0700 -o conch -g conch /data
COPY --from=build /opt/conch /opt/conch
ENV PATH=/opt/conch/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CONCH_DATA_DIR=/data \
    CONCH_WEB__HOST=0.0.0.0
# The root may be read-only: everything that Conch writes is here, and a conch.toml is looked for here.
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('CONCH_WEB__PORT', '8765')}/healthz\", timeout=4)"]
ENTRYPOINT ["conch"]
CMD ["run"]
