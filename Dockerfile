# One recipe for both services:
#
#   docker build --build-arg SERVICE=api      --tag opsledger-api .
#   docker build --build-arg SERVICE=executor --tag opsledger-executor .
#
# Everything comes from the hash-pinned locks. The image holds no NATS server, no compiler and no password.

ARG SERVICE=api

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM base AS build
# Where packages come from a mirror; these stay in this stage.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv /opt/opsledger \
 && /opt/opsledger/bin/python -m pip install --quiet --require-hashes --requirement requirements/run.txt \
 && python -m venv /opt/builder \
 && /opt/builder/bin/python -m pip install --quiet --require-hashes --requirement requirements/uv.txt
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/ services/
COPY opsledger/ opsledger/
# uv carries the build backend that pyproject.toml names: nothing more is fetched.
RUN /opt/builder/bin/uv build --quiet --offline --wheel --out-dir /wheel \
 && /opt/opsledger/bin/python -m pip install --quiet --no-deps --no-index /wheel/*.whl \
 && /opt/opsledger/bin/python -m compileall -q /opt/opsledger

FROM base AS runtime
RUN useradd --system --user-group --uid 10001 --home-dir /var/lib/opsledger --no-create-home --shell /usr/sbin/nologin opsledger \
 && install --directory --owner opsledger --group opsledger --mode 0700 /var/lib/opsledger /var/lib/opsledger/files
COPY --from=build /opt/opsledger /opt/opsledger
ENV PATH=/opt/opsledger/bin:$PATH OPSLEDGER_DATA_DIR=/var/lib/opsledger
WORKDIR /var/lib/opsledger
USER opsledger

FROM runtime AS api
ENV OPSLEDGER_HOST=0.0.0.0 OPSLEDGER_PORT=8642
EXPOSE 8642
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=6 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"OPSLEDGER_PORT\"]}/health/live', timeout=3)"]
ENTRYPOINT ["python", "-m", "services.api"]
CMD ["serve"]

FROM runtime AS executor
# No health check: an executor serves nothing. One that can no longer pull work ends itself, and is started again.
ENTRYPOINT ["python", "-m", "services.executor"]

FROM ${SERVICE}
