# The portal, its worker and the agent in one image: docker build -t perfanalysis .
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/venv
COPY requirements.lock /build/
RUN /opt/venv/bin/pip install --require-hashes --no-deps --only-binary :all: -r /build/requirements.lock
WORKDIR /app
COPY . .
RUN /opt/venv/bin/python -m agent.build
# No server is asked: a DATABASE_URL only keeps the embedded one from being started.
RUN DATABASE_URL=postgres://localhost/none SECRET_KEY=build DATA_DIR=/tmp/data \
    /opt/venv/bin/python manage.py collectstatic --no-input --verbosity 0

FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data
RUN useradd --system --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin perfanalysis \
    && install -d -o perfanalysis -g perfanalysis -m 0700 /data /var/lib/perfagent
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# `serve` brings the static files up to date, so they are the one folder of the application that it may write.
RUN chown -R perfanalysis:perfanalysis /app/staticfiles
WORKDIR /app
USER perfanalysis
VOLUME ["/data", "/var/lib/perfagent"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "deploy/healthy.py", "http://127.0.0.1:8000/api/v1/status"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
