# affekt serve with the ready model as a graph, without torch. Another model: mount it, and name it with --model.
FROM python:3.12-slim AS model

WORKDIR /build
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src ./src
COPY models ./models
RUN pip install --no-cache-dir --constraint constraints.txt \
        --index-url https://download.pytorch.org/whl/cpu "torch==2.13.0" \
    && pip install --no-cache-dir --constraint constraints.txt ".[train,export]"
RUN affekt export models/affekt-small/affekt_small/model --to onnx --out /build/graph \
    && rm -r models/affekt-small/affekt_small/model \
    && mv graph models/affekt-small/affekt_small/model

FROM python:3.12-slim

RUN useradd --create-home --uid 10001 affekt
WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src ./src
COPY --from=model /build/models/affekt-small ./affekt-small
RUN pip install --no-cache-dir --constraint constraints.txt ".[serve]" \
    && pip install --no-cache-dir --no-deps ./affekt-small \
    && rm -r src affekt-small

USER affekt
ENV HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
ENTRYPOINT ["affekt", "serve", "--host", "0.0.0.0"]
