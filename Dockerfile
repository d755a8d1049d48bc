# Two stages from one Debian-slim image: the first has pip and writes /opt/trimtab, the second only
# copies it. Slim and not Alpine: some of our dependencies publish no wheels for musl.
#
#   docker build --tag trimtab .
#   docker run --rm trimtab --help
#
# Pin the base by digest in your own build if you need the same bytes twice:
#   docker build --build-arg PYTHON_IMAGE=python:3.13-slim-trixie@sha256:… .
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN ["python", "-m", "venv", "/opt/trimtab"]
# Dependencies first: this layer is rebuilt only when the pins change.
# With the extras `expressions` (52 MB: conditions and formulas in policies), `kubernetes` and `postgresql` (18 MB:
# coordination, the shared journal, workloads): one image for everything that deploy/ can do.
COPY requirements/image.txt requirements/
RUN ["/opt/trimtab/bin/python", "-m", "pip", "install", \
     "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements/image.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY daemon daemon
RUN ["/opt/trimtab/bin/python", "-m", "pip", "install", "--no-deps", "--no-build-isolation", "."]
# What was needed to build and install is not needed to run. (Layers of this stage are not shipped.)
RUN ["/opt/trimtab/bin/python", "-m", "pip", "uninstall", "--yes", \
     "editables", "hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers", "pip"]
# Nor are the tests that dependencies bring along (21 MB).
RUN ["/opt/trimtab/bin/python", "-c", "\
import pathlib, shutil, sysconfig; \
site = pathlib.Path(sysconfig.get_path('purelib')); \
[shutil.rmtree(folder) for folder in (*site.glob('**/tests'), site / 'bazel-project') if folder.is_dir()]"]
RUN ["mkdir", "/opt/state"]
# The file system is read-only at run time, so byte code is made now.
RUN ["/opt/trimtab/bin/python", "-m", "compileall", "-q", "/opt/trimtab/lib"]

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="trimtab" \
      org.opencontainers.image.description="An event-driven autoscaling daemon for GPU inference deployments" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.url="https://trimtab.dev" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/trimtab /opt/trimtab
# Empty, and the user's own: a named volume that is mounted here takes the owner from it.
COPY --from=build --chown=65532:65532 --chmod=0700 /opt/state /var/lib/trimtab
ENV PATH=/opt/trimtab/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TRIMTAB_POLICIES=/etc/trimtab/policies \
    TRIMTAB_JOURNAL__PATH=/var/lib/trimtab/journal.db \
    TRIMTAB_LISTEN=0.0.0.0:9464
WORKDIR /etc/trimtab
# By number, so that a cluster can see that it is not root. Of the image it owns one empty directory.
USER 65532:65532
EXPOSE 9464
# Liveness asks only whether the daemon's own loop turns, never whether its dependencies answer.
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 CMD ["/opt/trimtab/bin/python", "-c", "\
import http.client, os; \
host, _, port = os.environ['TRIMTAB_LISTEN'].rpartition(':'); \
host = {'0.0.0.0': '127.0.0.1', '[::]': '::1'}.get(host, host.strip('[]')); \
connection = http.client.HTTPConnection(host, int(port), timeout=2); \
connection.request('GET', '/livez'); \
raise SystemExit(connection.getresponse().status != 200)"]
# No shell and no init in between: trimtab is process 1, handles SIGTERM itself, within 10 s, and buries
# what `docker exec` leaves behind.
STOPSIGNAL SIGTERM
ENTRYPOINT ["trimtab"]
CMD ["run"]
