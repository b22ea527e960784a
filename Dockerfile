# affekt serve with the ready model where models/affekt-small is in the tree; else mount a model and name it.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 affekt
WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir --constraint constraints.txt \
        --index-url https://download.pytorch.org/whl/cpu "torch==2.13.0" \
    && pip install --no-cache-dir --constraint constraints.txt ".[serve,offline]"
COPY model[s] ./models
RUN if [ -f models/affekt-small/pyproject.toml ]; then pip install --no-cache-dir --no-deps ./models/affekt-small; fi

USER affekt
ENV HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
ENTRYPOINT ["affekt", "serve", "--host", "0.0.0.0"]
