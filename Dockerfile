# Runs Regimen's API as an ordinary user. The packages are installed in a stage of their own, so that
# neither pip's leftovers nor anything that is not needed to run reaches the image.
#
#   docker build -t regimen .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -p 127.0.0.1:8000:8000 -v regimen:/var/lib/regimen regimen
#
# Nothing is written but the volume (on SQLite) and /tmp (figures that processes share).

FROM python:3.11-slim AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/regimen \
    && /opt/regimen/bin/python -m pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt \
    && /opt/regimen/bin/python -m pip uninstall --yes pip setuptools

FROM python:3.11-slim
RUN groupadd --system --gid 10001 regimen \
    && useradd --system --uid 10001 --gid regimen --no-create-home --shell /usr/sbin/nologin regimen \
    && install --directory --owner regimen --group regimen --mode 0700 /var/lib/regimen
COPY --from=packages /opt/regimen /opt/regimen
WORKDIR /srv/regimen
COPY LICENSE README.md alembic.ini ./
COPY migrations migrations
COPY app app
RUN /opt/regimen/bin/python -m compileall -q app migrations
# Large answers are given back to the system once they are sent: three megabytes less stay taken.
# Pydantic has no plugins here, and does not look for any among all packages before it starts.
ENV PATH=/opt/regimen/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNODEBUGRANGES=1 \
    PYDANTIC_DISABLE_PLUGINS=__all__ \
    MALLOC_MMAP_THRESHOLD_=32768 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    REGIMEN_HOST=0.0.0.0 \
    REGIMEN_PORT=8000 \
    REGIMEN_DATABASE_URL=sqlite:////var/lib/regimen/regimen.db
USER 10001:10001
VOLUME /var/lib/regimen
EXPOSE 8000
STOPSIGNAL SIGTERM
# Live, not ready: a database that is away for a minute is no reason to restart the server.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['REGIMEN_PORT']), timeout=4); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]
# `--migrate` makes or changes tables first; containers that start together wait for each other.
CMD ["python", "-m", "app", "serve", "--migrate"]
