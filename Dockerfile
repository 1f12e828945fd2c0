# The image of the broker, for amd64 and arm64:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag treaty .
# Data is in PostgreSQL, or for SQLite in the volume /var/lib/treaty; nothing else but /tmp is written.
ARG PYTHON=3.13

FROM docker.io/library/python:${PYTHON}-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Packages change less often than Treaty itself, so they have layers of their own.
COPY deploy/build.lock deploy/server.lock deploy/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-compile --require-hashes -r deploy/build.lock
RUN python -m venv --without-pip /opt/treaty \
    && /opt/build/bin/pip --python /opt/treaty/bin/python install --require-hashes -r deploy/server.lock
COPY LICENSE README.md pyproject.toml ./
COPY src src
COPY docs docs
RUN /opt/build/bin/hatchling build -t wheel -d /tmp/wheel \
    && /opt/build/bin/pip --python /opt/treaty/bin/python install --no-deps /tmp/wheel/*.whl \
    && mkdir -p /opt/treaty/share/sbom \
    && /opt/build/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
        --output-file /opt/treaty/share/sbom/treaty.cdx.json /opt/treaty/bin/python
COPY --chmod=755 deploy/image/ /opt/treaty/bin/

FROM docker.io/library/python:${PYTHON}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Treaty" \
      org.opencontainers.image.description="A Pact Broker, with its command line" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python"
# The group is root's, as in the original's image: OpenShift runs containers as another user of this group.
RUN useradd --uid 1001 --gid 0 --no-create-home --home-dir /var/lib/treaty --shell /usr/sbin/nologin treaty \
    && install -d -o 1001 -g 0 -m 0770 /var/lib/treaty
COPY --from=build /opt/treaty /opt/treaty
ENV PATH=/opt/treaty/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PACT_BROKER_HOST=0.0.0.0
WORKDIR /var/lib/treaty
VOLUME /var/lib/treaty
USER 1001
EXPOSE 9292
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["is-alive"]
CMD ["treaty", "serve"]
