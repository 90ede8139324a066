# One image for every role: `gristmill namenode` and `gristmill datanode` are the same package with another command.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig*.json LICENSE README.md ./
COPY src src
COPY namenode namenode
COPY datanode datanode
COPY client client
COPY docs docs
COPY test test
RUN npm run build && cd dist && npm pack && mv gristmill-*.tgz /build/gristmill.tgz

FROM node:24-bookworm-slim
COPY --from=build /build/gristmill.tgz /opt/gristmill.tgz
RUN npm install --global --no-audit --no-fund /opt/gristmill.tgz \
 && mkdir -p /data /secret && chown node:node /data /secret
USER node
ENV GRISTMILL_HOME=/data
VOLUME /data
ENTRYPOINT ["gristmill"]
CMD ["--help"]
