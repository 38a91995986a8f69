# The command for a machine or a cluster without Node. Context: this folder after `npm run build && npm pack`.
#   docker build -t sammix . && docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" sammix run scans --out results
#   apptainer build sammix.sif docker-daemon://sammix:latest && apptainer run sammix.sif run scans --out results
FROM node:24-bookworm-slim
COPY sammix-*.tgz /opt/
RUN npm install --global --ignore-scripts --no-audit --no-fund /opt/sammix-*.tgz && rm /opt/sammix-*.tgz
WORKDIR /data
# Any user may run it: nothing is written but to the folder named by --out.
USER 1000
ENTRYPOINT ["sammix"]
