# One image for everything: `serve` is what it does if nothing else is said; `migrate`, `doctor`, `backup` … are the others.

FROM python:3.11.14-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /build

RUN python -m venv --without-pip /opt/kloudless

COPY requirements.lock ./
RUN python -m pip --python /opt/kloudless/bin/python install --only-binary :all: -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY connectors connectors
COPY sandbox sandbox
COPY simulators simulators
COPY migrations migrations
RUN python -m pip --python /opt/kloudless/bin/python install --no-deps .


FROM python:3.11.14-slim-bookworm

# Nothing is installed into a running container, and nobody in it owns the code.
RUN python -m pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && groupadd --gid 10001 kloudless \
    && useradd --uid 10001 --gid kloudless --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kloudless \
    && install --directory --owner=kloudless --group=kloudless --mode=0700 /data /keys

COPY --from=build /opt/kloudless /opt/kloudless

# The two of malloc keep big buffers, which otherwise go back to the system and come again with every piece of a file.
ENV PATH=/opt/kloudless/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_THRESHOLD_=33554432 \
    MALLOC_TRIM_THRESHOLD_=134217728 \
    KLOUDLESS_HOST=0.0.0.0 \
    KLOUDLESS_DATA_DIR=/data

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "app.health"]
ENTRYPOINT ["kloudless"]
CMD ["serve"]
