# Wardmark in a container: `docker build -t wardmark .`, then docs/deploy.md.
#
# Runs as user 10001 on a read-only root file system; all state is below /var/lib/wardmark. torch is
# the build for CPUs where the index that pip asks has it; name one that does:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... -t wardmark .

ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
RUN python -m venv /opt/wardmark
# torch first and alone, as in the Makefile: a bare requirement of another package would fetch a
# build with CUDA. This layer changes only when its version does.
COPY constraints.txt ./
RUN /opt/wardmark/bin/pip install "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY policies policies
COPY provenance provenance
COPY datasets_audit datasets_audit
COPY migrations migrations
COPY guard guard
RUN /opt/wardmark/bin/pip install --compile -c constraints.txt '.[postgres,redis]' \
    && /opt/wardmark/bin/pip check

FROM ${PYTHON_IMAGE}
# What opencv-python loads. Debian's stable release changes them for security alone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 wardmark \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/wardmark --shell /usr/sbin/nologin wardmark \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/wardmark
COPY --from=build /opt/wardmark /opt/wardmark
ENV PATH=/opt/wardmark/bin:$PATH \
    WARDMARK_HOME=/var/lib/wardmark/home \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/wardmark
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["wardmark"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
