# sulh as a container: the locked packages, the program, and a user of its own.
FROM python:3.13-slim AS build
RUN python -m venv /opt/sulh
ENV PATH=/opt/sulh/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock /src/
# Each with its hash, and wheels alone, so that the code of packages does not run while the image is built; langdetect
# comes as source only.
RUN pip install --require-hashes --only-binary :all: --no-binary langdetect --requirement /src/requirements.lock
COPY pyproject.toml README.md LICENSE /src/
COPY crawlers /src/crawlers
COPY mappings /src/mappings
COPY processors /src/processors
COPY sulh /src/sulh
RUN pip install --no-deps /src

# Airflow beside the program, of which each task is one command.
FROM build AS build-airflow
COPY requirements-team.lock /src/
RUN pip install --require-hashes --only-binary :all: --no-binary langdetect --requirement /src/requirements-team.lock

FROM python:3.13-slim AS airflow
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/sulh sulh \
    && install --directory --owner sulh --group sulh --mode 0750 /var/lib/sulh /var/lib/sulh-keys /var/lib/sulh-admin /var/lib/airflow
COPY --from=build-airflow /opt/sulh /opt/sulh
COPY dags /opt/dags
ENV PATH=/opt/sulh/bin:$PATH PYTHONUNBUFFERED=1 SULH_HOME=/var/lib/sulh XDG_CACHE_HOME=/tmp AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/dags AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=/var/lib/airflow/passwords.json \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
USER 10001:10001
WORKDIR /var/lib/sulh
ENTRYPOINT ["airflow"]
CMD ["version"]

FROM python:3.13-slim AS program
# The folders lend their owner to the named volumes that are mounted over them.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/sulh sulh \
    && install --directory --owner sulh --group sulh --mode 0750 /var/lib/sulh /var/lib/sulh-keys /var/lib/sulh-admin
COPY --from=build /opt/sulh /opt/sulh
ENV PATH=/opt/sulh/bin:$PATH PYTHONUNBUFFERED=1 SULH_HOME=/var/lib/sulh XDG_CACHE_HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/sulh
ENTRYPOINT ["sulh"]
CMD ["--help"]
